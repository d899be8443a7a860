"""Holds the lab's wires against a clock: one-way delay and rate, as a program on the hosts sees it.

All hosts of a lab share one machine's clock, so a one-way delay is measured by sending the time.
"""

import json
import socket
import statistics
import struct
import sys
import time

PORT = 7199

# The median may be wrong by this; what comes later than that is told as the 99th percentile.
DELAY_BOUND_MS = 1.0
RATE_BOUND_SHARE = 0.05


def receive_times(address, count):
    """Prints how long each of `count` small messages was under way, in microseconds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, PORT))
        server.settimeout(10)
        print("ready", flush=True)
        delays = []
        for _ in range(count):
            sent = server.recv(8)
            delays.append((time.monotonic_ns() - struct.unpack("<q", sent)[0]) / 1000)
        print(json.dumps(delays), flush=True)


def send_times(address, count, gap_us):
    """Sends the time, in datagrams of eight bytes: no window and no slow start of TCP between."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect((address, PORT))
        for _ in range(count):
            connection.send(struct.pack("<q", time.monotonic_ns()))
            time.sleep(gap_us / 1e6)


def receive_bytes(address, total):
    """Prints the rate at which bytes came once the first tenth of them had come."""
    server = socket.create_server((address, PORT))
    print("ready", flush=True)
    connection, _ = server.accept()
    buffer = bytearray(1 << 20)
    count, since, before = 0, None, 0
    while count < total:
        came = connection.recv_into(buffer)
        if not came:
            break
        count += came
        if since is None and count >= total // 10:
            since, before = time.monotonic_ns(), count
    seconds = (time.monotonic_ns() - since) / 1e9
    print(json.dumps((count - before) * 8 / seconds), flush=True)


def send_bytes(address, total):
    """Sends bytes as fast as the wire takes them."""
    connection = socket.create_connection((address, PORT))
    block = bytes(1 << 20)
    for _ in range(total // len(block)):
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)


def check(hosts, delays_ms=(0.0, 0.2, 1.0, 5.0, 20.0), rates_bps=(1e8, 1e9), count=400):
    """Measures the wires of a lab; each line says what was asked for and what was found."""
    lines = []
    for delay in delays_ms:
        hosts.shape(delay_ms=delay)
        delays = _pair(hosts, "receive_times", "send_times", count, 500)
        middle = statistics.median(delays) / 1000
        # What the stack itself takes, without any wire, is not the wire's doing.
        base = lines[0]["measured"] if lines else middle
        found = middle - base if lines else middle
        lines.append({
            "what": "one-way delay", "unit": "ms", "asked": delay, "measured": middle,
            "p99": sorted(delays)[int(len(delays) * 0.99)] / 1000, "beyond_stack": found,
            "bound": DELAY_BOUND_MS, "passed": abs(middle - delay) <= DELAY_BOUND_MS})
    for rate in rates_bps:
        hosts.shape(delay_ms=1, rate_bps=rate)
        goodput = _pair(hosts, "receive_bytes", "send_bytes", int(rate / 8 * 1.2) >> 20 << 20)
        # Of 1,538 bytes of an Ethernet frame 1,448 are TCP's payload.
        measured = goodput * 1538 / 1448
        lines.append({
            "what": "rate", "unit": "bit/s", "asked": rate, "measured": measured,
            "bound": RATE_BOUND_SHARE * rate,
            "passed": abs(measured - rate) <= RATE_BOUND_SHARE * rate})
    hosts.shape()
    return lines


def _pair(hosts, receiver, sender, *numbers):
    words = [sys.executable, __file__]
    address = hosts.addresses[1]
    receiving = hosts.start(
        1, [*words, receiver, address, *numbers[:1]], stdout=-1)
    receiving.stdout.readline()
    sending = hosts.start(0, [*words, sender, address, *numbers])
    answer = json.loads(receiving.stdout.readline())
    hosts.stop([sending, receiving])
    return answer


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))
