// Writes po/templates/glacic.pot: tests/luci/run --template.

import fs from 'node:fs';
import path from 'node:path';
import { APP } from './kit/router.mjs';
import { allSayings, template } from './kit/po.mjs';
import { ask } from './kit/home.mjs';

const file = path.join(APP, 'po/templates/glacic.pot');

fs.mkdirSync(path.dirname(file), { recursive: true });
fs.writeFileSync(file, template(allSayings(APP, await ask('settings'))));
console.log(`wrote ${path.relative(process.cwd(), file)}`);
