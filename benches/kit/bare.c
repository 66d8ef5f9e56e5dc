/*
 * The peer that glacic is held against: readers of netfilter's queue and log that do the least one can do, in batches.
 * They look at nothing but a packet's number, and accept always. Compiled when a bench runs.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Shared with the thread that measures. */
struct control {
	size_t packets; /* read so far */
	size_t lost;    /* gaps in the numbers of log records */
	int32_t ready;  /* bound: packets may come */
	int32_t stop;   /* asked to return */
};

#define BATCH 64
#define QUEUE_SLOT 2048
#define LOG_SLOT (128 * 1024)

struct message {
	struct nlmsghdr header;
	struct nfgenmsg netfilter;
	char attributes[256];
};

static void put(struct message *message, uint16_t type, const void *value, uint16_t size)
{
	struct nlattr *attribute = (void *)((char *)message + NLMSG_ALIGN(message->header.nlmsg_len));

	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + size;
	memcpy((char *)attribute + NLA_HDRLEN, value, size);
	message->header.nlmsg_len = NLMSG_ALIGN(message->header.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

static struct message begin(int subsystem, int type, int flags, uint16_t number)
{
	struct message message = {
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
			    .nlmsg_type = subsystem << 8 | type,
			    .nlmsg_flags = NLM_F_REQUEST | flags },
		.netfilter = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(number) },
	};

	return message;
}

/* Sends one request and reads its acknowledgement; packets do not come yet. */
static int configure(int fd, const struct message *message)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;

	if (send(fd, message, message->header.nlmsg_len, 0) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), 0) < 0)
		return -errno;
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
}

static int open_socket(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	/* So that a reader notices that it shall stop. */
	struct timeval patience = { .tv_usec = 20000 };
	int size = 4 << 20;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int stopped(const struct control *control)
{
	return __atomic_load_n(&control->stop, __ATOMIC_RELAXED);
}

static void prepare(struct mmsghdr *headers, struct iovec *places, char *bytes, size_t slot, size_t count)
{
	memset(headers, 0, count * sizeof(*headers));
	for (size_t i = 0; i < count; i++) {
		places[i] = (struct iovec){ .iov_base = bytes + i * slot, .iov_len = slot };
		headers[i].msg_hdr.msg_iov = &places[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
}

/* Reads up to 64 packets a call and accepts them with one call. Returns 0, or a negative error number. */
int bare_queue(uint16_t number, uint32_t range, uint32_t length, struct control *control)
{
	static char bytes[BATCH * QUEUE_SLOT];
	struct mmsghdr headers[BATCH];
	struct iovec places[BATCH];
	struct {
		struct nlmsghdr header;
		struct nfgenmsg netfilter;
		struct nlattr attribute;
		struct nfqnl_msg_verdict_hdr verdict;
	} __attribute__((packed)) verdicts[BATCH];
	struct nfqnl_msg_config_cmd bind_command = { .command = NFQNL_CFG_CMD_BIND };
	struct nfqnl_msg_config_params copy = { .copy_range = htonl(range), .copy_mode = NFQNL_COPY_PACKET };
	uint32_t be_length = htonl(length), gso = htonl(NFQA_CFG_F_GSO);
	int error, fd = open_socket();

	if (fd < 0)
		return fd;
	struct message request = begin(NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG, NLM_F_ACK, number);
	put(&request, NFQA_CFG_CMD, &bind_command, sizeof(bind_command));
	put(&request, NFQA_CFG_PARAMS, &copy, 5);
	put(&request, NFQA_CFG_QUEUE_MAXLEN, &be_length, 4);
	put(&request, NFQA_CFG_MASK, &gso, 4);
	put(&request, NFQA_CFG_FLAGS, &gso, 4);
	error = configure(fd, &request);
	if (error) {
		close(fd);
		return error;
	}
	prepare(headers, places, bytes, QUEUE_SLOT, BATCH);
	for (int i = 0; i < BATCH; i++) {
		memset(&verdicts[i], 0, sizeof(verdicts[i]));
		verdicts[i].header.nlmsg_len = sizeof(verdicts[i]);
		verdicts[i].header.nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT;
		verdicts[i].header.nlmsg_flags = NLM_F_REQUEST;
		verdicts[i].netfilter.res_id = htons(number);
		verdicts[i].attribute.nla_len = NLA_HDRLEN + sizeof(struct nfqnl_msg_verdict_hdr);
		verdicts[i].attribute.nla_type = NFQA_VERDICT_HDR;
		verdicts[i].verdict.verdict = htonl(NF_ACCEPT);
	}
	__atomic_store_n(&control->ready, 1, __ATOMIC_RELEASE);

	while (!stopped(control)) {
		int got = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
		int many = 0;

		if (got < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
			error = -errno;
			break;
		}
		for (int i = 0; i < got; i++) {
			struct nlmsghdr *header = (void *)(bytes + i * QUEUE_SLOT);
			struct nlattr *attribute = (void *)((char *)NLMSG_DATA(header) + sizeof(struct nfgenmsg));

			/* The kernel puts the packet's header first. */
			if (header->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) ||
			    attribute->nla_type != NFQA_PACKET_HDR)
				continue;
			memcpy(&verdicts[many++].verdict.id, (char *)attribute + NLA_HDRLEN, 4);
		}
		if (many && send(fd, verdicts, many * sizeof(verdicts[0]), 0) < 0) {
			error = -errno;
			break;
		}
		__atomic_store_n(&control->packets, control->packets + many, __ATOMIC_RELAXED);
	}
	close(fd);
	return error;
}

/* Reads log records in large datagrams and counts them, and the gaps in their numbers. */
int bare_log(uint16_t group, uint32_t range, struct control *control)
{
	static char bytes[2 * LOG_SLOT];
	struct mmsghdr headers[2];
	struct iovec places[2];
	struct nfulnl_msg_config_cmd bind_command = { .command = NFULNL_CFG_CMD_BIND };
	struct nfulnl_msg_config_mode copy = { .copy_range = htonl(range), .copy_mode = NFULNL_COPY_PACKET };
	uint32_t buffer = htonl(64 * 1024), timeout = htonl(1), threshold = htonl(256), next = 0;
	uint16_t flags = htons(NFULNL_CFG_F_SEQ);
	int error, fd = open_socket();

	if (fd < 0)
		return fd;
	struct message request = begin(NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG, NLM_F_ACK, group);
	put(&request, NFULA_CFG_CMD, &bind_command, sizeof(bind_command));
	put(&request, NFULA_CFG_MODE, &copy, sizeof(copy));
	put(&request, NFULA_CFG_NLBUFSIZ, &buffer, 4);
	put(&request, NFULA_CFG_TIMEOUT, &timeout, 4);
	put(&request, NFULA_CFG_QTHRESH, &threshold, 4);
	put(&request, NFULA_CFG_FLAGS, &flags, 2);
	error = configure(fd, &request);
	if (error) {
		close(fd);
		return error;
	}
	prepare(headers, places, bytes, LOG_SLOT, 2);
	__atomic_store_n(&control->ready, 1, __ATOMIC_RELEASE);

	while (!stopped(control)) {
		int got = recvmmsg(fd, headers, 2, MSG_WAITFORONE, NULL);
		size_t packets = 0, lost = 0;

		if (got < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
			error = -errno;
			break;
		}
		for (int i = 0; i < got; i++) {
			struct nlmsghdr *header = (void *)(bytes + i * LOG_SLOT);
			int left = headers[i].msg_len;

			for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
				struct nlattr *attribute = (void *)((char *)NLMSG_DATA(header) + sizeof(struct nfgenmsg));
				int room = NLMSG_PAYLOAD(header, sizeof(struct nfgenmsg));

				if (header->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
					continue;
				packets++;
				while (room >= NLA_HDRLEN && attribute->nla_len >= NLA_HDRLEN) {
					int step = NLA_ALIGN(attribute->nla_len);

					if (attribute->nla_type == NFULA_SEQ) {
						uint32_t number;

						memcpy(&number, (char *)attribute + NLA_HDRLEN, 4);
						lost += ntohl(number) - next;
						next = ntohl(number) + 1;
						break;
					}
					room -= step;
					attribute = (void *)((char *)attribute + step);
				}
			}
		}
		__atomic_store_n(&control->packets, control->packets + packets, __ATOMIC_RELAXED);
		__atomic_store_n(&control->lost, control->lost + lost, __ATOMIC_RELAXED);
	}
	close(fd);
	return error;
}
