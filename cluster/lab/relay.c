// The lab's wires: carries IP packets between the TUN devices of network namespaces, and delays,
// paces and drops what passes, as `tc netem` would where the kernel has it.
//
//   relay NAMESPACE=ADDRESS …        one host each; the device is called lab0
//
//   host a ── lab0 ─► read ─► paced by a's rate ─► waits for the delay ─► write ─► lab0 ── host b
//
// It speaks on standard output ("ready", then an answer to each command) and is told on standard
// input, a line each:
//
//   delay MICROSECONDS [FROM TO]     one way, of all links or of the one between two hosts
//   rate BITS_PER_SECOND [HOST]      of what each host or one sends; 0 is without a bound
//   loss SHARE [FROM TO]             0 to 1, of the packets of all links or of one, one way
//   stats                            packets, bytes, drops, and how late packets were handed on
//
// When standard input ends, so does the relay, and its devices with it.
//
// Packets keep their order on a link. Large sends of TCP come as one packet with the segment size
// in its header (generic segmentation offload), and are paced as the frames that they would be on
// Ethernet: each with its own headers and 38 bytes of preamble, addresses, checksum and gap.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    hosts_max = 64,
    packet_bytes_max = 65536 + sizeof(struct virtio_net_hdr),
    // What waits on all wires together: 64 hosts at 1 Gbit/s and 20 ms need 160 MB.
    waiting_bytes_max = 512 << 20,
    framing_bytes = 38,
};

struct host {
    const char *name;
    uint32_t address;
    int device;
    double rate;
    // When the host has put all that it has sent so far on the wire.
    int64_t free_at;
};

struct packet {
    int64_t due;
    uint64_t number;
    int to;
    int bytes;
    uint8_t content[];
};

static struct host hosts[hosts_max];
static int host_count;
static int64_t delays[hosts_max][hosts_max];
static double losses[hosts_max][hosts_max];
// A binary heap: the packet that is due first on top.
static struct packet **heap;
static size_t heap_count, heap_room;
static size_t waiting_bytes;
static uint64_t next_number, passed_count, passed_bytes, dropped_count;
static int64_t lateness_sum, lateness_max;

static void fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("relay: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    exit(1);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// MARK: The heap

static int is_before(const struct packet *left, const struct packet *right) {
    return left->due != right->due ? left->due < right->due : left->number < right->number;
}

static void push(struct packet *packet) {
    if (heap_count == heap_room) {
        heap_room = heap_room ? 2 * heap_room : 1024;
        heap = realloc(heap, heap_room * sizeof *heap);
        if (!heap) fail("no memory for %zu packets", heap_room);
    }
    size_t place = heap_count++;
    while (place > 0 && is_before(packet, heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = packet;
}

static struct packet *pop(void) {
    struct packet *first = heap[0], *last = heap[--heap_count];
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap_count) break;
        if (child + 1 < heap_count && is_before(heap[child + 1], heap[child])) child++;
        if (!is_before(heap[child], last)) break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = last;
    return first;
}

// MARK: Devices

// A device inside of a namespace; the descriptor works from outside of it.
static int open_device(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "/var/run/netns/%s", name);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0) fail("%s: %s", path, strerror(errno));
    if (setns(space, CLONE_NEWNET) < 0) fail("%s: cannot be entered: %s", path, strerror(errno));
    close(space);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device < 0) fail("/dev/net/tun: %s", strerror(errno));
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    strcpy(request.ifr_name, "lab0");
    if (ioctl(device, TUNSETIFF, &request) < 0) fail("%s: lab0: %s", name, strerror(errno));
    if (ioctl(device, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0)
        fail("%s: segmentation offload: %s", name, strerror(errno));
    return device;
}

static void add_host(char *argument) {
    char *address = strchr(argument, '=');
    struct in_addr parsed;
    if (host_count == hosts_max) fail("expected at most %d hosts", hosts_max);
    if (!address) fail("found %s, expected NAMESPACE=ADDRESS", argument);
    *address++ = 0;
    if (inet_pton(AF_INET, address, &parsed) != 1) fail("found %s, expected an address", address);
    struct host *host = &hosts[host_count++];
    host->name = argument;
    host->address = parsed.s_addr;
    host->device = open_device(argument);
}

// MARK: Packets

// The bytes that a packet has on Ethernet, and how many frames.
static int64_t wire_bytes(const uint8_t *content, int bytes, int *frame_count) {
    const struct virtio_net_hdr *header = (const void *)content;
    int64_t length = bytes - (int64_t)sizeof *header;
    *frame_count = 1;
    if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE && header->gso_size > 0) {
        int64_t payload = length - header->hdr_len;
        *frame_count = (int)((payload + header->gso_size - 1) / header->gso_size);
        if (*frame_count < 1) *frame_count = 1;
        length += (int64_t)(*frame_count - 1) * header->hdr_len;
    }
    return length + (int64_t)*frame_count * framing_bytes;
}

static int receiver(const uint8_t *content, int bytes) {
    const uint8_t *packet = content + sizeof(struct virtio_net_hdr);
    if (bytes < (int)sizeof(struct virtio_net_hdr) + 20 || packet[0] >> 4 != 4) return -1;
    uint32_t address;
    memcpy(&address, packet + 16, 4);
    for (int to = 0; to < host_count; to++)
        if (hosts[to].address == address) return to;
    return -1;
}

static int is_lost(double loss, int frame_count) {
    for (int frame = 0; loss > 0 && frame < frame_count; frame++)
        if (drand48() < loss) return 1;
    return 0;
}

static void take(int from) {
    static uint8_t content[packet_bytes_max];
    // Others wait meanwhile, so not for ever.
    for (int count = 0; count < 64; count++) {
        ssize_t bytes = read(hosts[from].device, content, sizeof content);
        if (bytes <= 0) return;
        int64_t arrived = now();
        int frame_count, to = receiver(content, (int)bytes);
        if (to < 0) continue;
        int64_t on_wire = wire_bytes(content, (int)bytes, &frame_count);
        if (is_lost(losses[from][to], frame_count) || waiting_bytes > waiting_bytes_max) {
            dropped_count++;
            continue;
        }
        struct host *host = &hosts[from];
        if (host->free_at < arrived) host->free_at = arrived;
        if (host->rate > 0) host->free_at += (int64_t)((double)on_wire * 8e9 / host->rate);
        struct packet *packet = malloc(sizeof *packet + (size_t)bytes);
        if (!packet) fail("no memory for a packet");
        packet->due = host->free_at + delays[from][to];
        packet->number = next_number++;
        packet->to = to;
        packet->bytes = (int)bytes;
        memcpy(packet->content, content, (size_t)bytes);
        waiting_bytes += (size_t)bytes;
        push(packet);
    }
}

// Hands on what is due; returns when the next packet is, or 0.
static int64_t hand_on(void) {
    while (heap_count > 0) {
        int64_t moment = now();
        if (heap[0]->due > moment) return heap[0]->due;
        struct packet *packet = pop();
        int64_t lateness = moment - packet->due;
        lateness_sum += lateness;
        if (lateness > lateness_max) lateness_max = lateness;
        if (write(hosts[packet->to].device, packet->content, (size_t)packet->bytes) < 0)
            dropped_count++;
        passed_count++;
        passed_bytes += (uint64_t)packet->bytes;
        waiting_bytes -= (size_t)packet->bytes;
        free(packet);
    }
    return 0;
}

// MARK: Commands

static void obey(char *line) {
    double value;
    int from, to;
    int count = sscanf(line, "delay %lf %d %d", &value, &from, &to);
    if (count == 1 || count == 3) {
        for (int a = 0; a < host_count; a++)
            for (int b = 0; b < host_count; b++)
                if (count == 1 || (a == from && b == to)) delays[a][b] = (int64_t)(value * 1000);
    } else if ((count = sscanf(line, "rate %lf %d", &value, &from)) > 0) {
        for (int a = 0; a < host_count; a++)
            if (count == 1 || a == from) hosts[a].rate = value;
    } else if ((count = sscanf(line, "loss %lf %d %d", &value, &from, &to)) == 1 || count == 3) {
        for (int a = 0; a < host_count; a++)
            for (int b = 0; b < host_count; b++)
                if (count == 1 || (a == from && b == to)) losses[a][b] = value;
    } else if (strncmp(line, "stats", 5) == 0) {
        printf("{\"packets\": %llu, \"bytes\": %llu, \"dropped\": %llu, \"waiting_bytes\": %zu, "
               "\"late_mean_us\": %.1f, \"late_max_us\": %.1f}\n",
               (unsigned long long)passed_count, (unsigned long long)passed_bytes,
               (unsigned long long)dropped_count, waiting_bytes,
               passed_count ? (double)lateness_sum / (double)passed_count / 1000 : 0,
               (double)lateness_max / 1000);
        passed_count = passed_bytes = dropped_count = 0;
        lateness_sum = lateness_max = 0;
        fflush(stdout);
        return;
    } else {
        printf("error: found %s\n", line);
        fflush(stdout);
        return;
    }
    printf("ok\n");
    fflush(stdout);
}

static int read_commands(void) {
    static char text[4096];
    static size_t length;
    ssize_t bytes = read(0, text + length, sizeof text - 1 - length);
    if (bytes <= 0) return 0;
    length += (size_t)bytes;
    text[length] = 0;
    char *line = text, *end;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        obey(line);
        line = end + 1;
    }
    length -= (size_t)(line - text);
    memmove(text, line, length);
    return length < sizeof text - 1;
}

int main(int count, char **arguments) {
    if (count < 3) fail("expected two or more NAMESPACE=ADDRESS");
    // Late packets are wrong measurements: no slack, no page faults, and before those who compute.
    prctl(PR_SET_TIMERSLACK, 1UL);
    mlockall(MCL_CURRENT | MCL_FUTURE);
    struct sched_param priority = {.sched_priority = 10};
    sched_setscheduler(0, SCHED_FIFO, &priority);

    int events = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (events < 0 || timer < 0) fail("%s", strerror(errno));
    for (int argument = 1; argument < count; argument++) add_host(arguments[argument]);
    for (int source = -2; source < host_count; source++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = source};
        int descriptor = source == -2 ? 0 : source == -1 ? timer : hosts[source].device;
        if (epoll_ctl(events, EPOLL_CTL_ADD, descriptor, &event) < 0)
            fail("%s", strerror(errno));
    }
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int64_t due = hand_on();
        struct itimerspec alarm = {
            .it_value = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &alarm, NULL);
        struct epoll_event ready[hosts_max + 2];
        int ready_count = epoll_wait(events, ready, hosts_max + 2, -1);
        for (int place = 0; place < ready_count; place++) {
            int source = ready[place].data.fd;
            if (source >= 0) take(source);
            if (source == -1) {
                uint64_t expired;
                if (read(timer, &expired, sizeof expired) < 0) continue;
            }
            if (source == -2 && !read_commands()) return 0;
        }
    }
}
