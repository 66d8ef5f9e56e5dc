"""Writes an .apk of version 3: the package's facts and the list of its files in one database, then the files' contents.

The numbers are those of apk-tools' schemas. The order in which values are written is free; here it is that of
`apk mkpkg`, so that both give the same bytes for the same files.
"""

import hashlib
import os
import stat
import struct

import adb

SCRIPTS = {
    "trigger": 1,
    "pre-install": 2,
    "post-install": 3,
    "pre-deinstall": 4,
    "post-deinstall": 5,
    "pre-upgrade": 6,
    "post-upgrade": 7,
}
# Texts of the package's facts, by field.
TEXTS = {"name": 1, "version": 2, "description": 4, "arch": 5, "license": 6, "origin": 7, "maintainer": 8, "url": 9}
HASHES, INSTALLED_SIZE, DEPENDS, PROVIDES = 3, 12, 15, 16


def dependencies(database, names):
    """Names without versions, sorted and once each."""
    return database.array([database.object({1: database.blob(name)}) for name in sorted(set(names))])


def acl(database, mode):
    root = database.blob("root")
    return database.object({1: database.number(mode), 2: root, 3: root})


def one_file(database, path, time):
    """A regular file or a symbolic link. Gives the value and, for data that has to follow, the bytes."""
    name, status = os.path.basename(path), os.lstat(path)
    fields = {1: database.blob(name)}
    data = b""
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(path).encode()
        fields[6] = database.blob(struct.pack("<H", stat.S_IFLNK) + target)
        size, mode = len(target), 0o777
    elif stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            data = file.read()
        fields[5] = database.blob(hashlib.sha256(data).digest())
        size, mode = len(data), stat.S_IMODE(status.st_mode)
    else:
        raise ValueError(f"{path} is neither a file nor a link nor a folder")
    fields[4] = database.number(time)
    fields[3] = database.number(size)
    fields[2] = acl(database, mode)
    return database.object(fields), data


def folders(root):
    """All folders below `root` by their names in the package, the root itself (with an empty name) first."""
    found = [""]
    for place, names, _ in os.walk(root):
        below = os.path.relpath(place, root)
        found += [os.path.normpath(os.path.join(below, name)) for name in names if not os.path.islink(os.path.join(place, name))]
    return sorted(found, key=os.fsencode)


def paths(database, root, time):
    """The list of folders, the contents in its order, and how many bytes they take."""
    values, contents, size = [], [], 0
    for number, folder in enumerate(folders(root), 1):
        place = os.path.join(root, folder)
        names = sorted(os.listdir(place), key=os.fsencode)
        files = []
        for name in names:
            path = os.path.join(place, name)
            if os.path.isdir(path) and not os.path.islink(path):
                continue
            value, data = one_file(database, path, time)
            files.append(value)
            size += len(data)
            if data:
                contents.append((number, len(files), data))
        name = database.blob(folder)
        mode = stat.S_IMODE(os.stat(place).st_mode)
        access = acl(database, mode)
        values.append(database.object({1: name, 2: access, 3: database.array(files)}))
    return values, contents, size


def package(facts, depends, provides, root, scripts, time):
    """The bytes of an .apk."""
    database = adb.Database()
    info = {}
    for name, number in TEXTS.items():
        if facts.get(name):
            info[number] = database.blob(facts[name])
    info[DEPENDS] = dependencies(database, depends)
    info[PROVIDES] = dependencies(database, provides)
    values, contents, size = paths(database, root, time)
    info[INSTALLED_SIZE] = database.number(max(size, 1))
    # The identity: the beginning of the hash of everything, with zeros here.
    info[HASHES] = database.blob(bytes(20), once=False)
    hole = (info[HASHES] & 0x0FFFFFFF) + 1
    top = {1: database.object(info), 2: database.array(values)}
    top[3] = database.object({SCRIPTS[kind]: database.blob(scripts[kind]) for kind in sorted(scripts, key=SCRIPTS.get)})
    whole = database.finish(database.object(top))
    whole[hole : hole + 20] = hashlib.sha256(whole).digest()[:20]
    blocks = [adb.block(adb.BLOCK_ADB, whole)]
    for folder, file, data in contents:
        blocks.append(adb.block(adb.BLOCK_DATA, struct.pack("<II", folder, file), data))
    return adb.container(adb.PACKAGE, blocks)
