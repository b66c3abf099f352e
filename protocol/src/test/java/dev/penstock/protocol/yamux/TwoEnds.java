package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// A client and a server session joined in memory. Time is a number that [#step] advances; batches
/// travel for `latencyNanos`, arrive in order and are cut into chunks by chance.
public final class TwoEnds {
  private final RandomGenerator random;
  private final long latencyNanos;
  private final YamuxSession client;
  private final YamuxSession server;
  private final Deque<Parcel> toServer = new ArrayDeque<>();
  private final Deque<Parcel> toClient = new ArrayDeque<>();
  private long now;

  private record Parcel(long due, ByteBuffer bytes) {}

  public TwoEnds(
      RandomGenerator random, long latencyNanos, YamuxSession client, YamuxSession server) {
    this.random = random;
    this.latencyNanos = latencyNanos;
    this.client = client;
    this.server = server;
  }

  public YamuxSession session(Role role) {
    return role == Role.CLIENT ? client : server;
  }

  /// Nanoseconds since the harness was made.
  public long now() {
    return now;
  }

  /// Lets up to a few microseconds pass: each end may send a batch, and what is due arrives.
  public void step() throws ProtocolViolation {
    now += random.nextInt(1, 10_000);
    send(client, toServer);
    send(server, toClient);
    deliver(toServer, server);
    deliver(toClient, client);
  }

  /// Whether nothing is on its way and no end has anything to send.
  public boolean isQuiet() {
    return toServer.isEmpty() && toClient.isEmpty() && !client.hasOutput() && !server.hasOutput();
  }

  private void send(YamuxSession from, Deque<Parcel> to) {
    if (random.nextInt(4) == 0) {
      return;
    }
    ByteBuffer @Nullable [] batch = from.nextBatch(random.nextInt(1, 200_000), now);
    if (batch != null) {
      to.add(new Parcel(now + latencyNanos, Bytes.join(batch)));
    }
  }

  private void deliver(Deque<Parcel> from, YamuxSession to) throws ProtocolViolation {
    while (!from.isEmpty() && from.getFirst().due() <= now) {
      byte[] bytes = Bytes.array(from.removeFirst().bytes());
      int most = random.nextInt(10) == 0 ? 20 : bytes.length;
      for (int at = 0; at < bytes.length; ) {
        int length = Math.min(random.nextInt(1, most + 1), bytes.length - at);
        to.onBytes(ByteBuffer.wrap(bytes, at, length), now);
        at += length;
      }
    }
  }
}
