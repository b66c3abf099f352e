package dev.penstock.live;

import java.util.List;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// One link that carries streams. Any thread.
public final class LiveLink {
  private final String id;
  private final Facts facts;
  private final IntSupplier open;
  private final LongSupplier rtt;
  private final Runnable close;
  private final long since = System.currentTimeMillis();
  private volatile boolean silent;
  private volatile @Nullable String agent;
  private volatile boolean draining;

  /// What does not change.
  ///
  /// @param cluster whose agent is at its other end
  /// @param remote host and port of its other end
  /// @param protocol what carries its streams
  /// @param capabilities extensions that both ends use
  /// @param loop where it lives
  public record Facts(
      String cluster, String remote, String protocol, List<String> capabilities, int loop) {
    public Facts {
      capabilities = List.copyOf(capabilities);
    }
  }

  /// @param open how many streams it has, from any thread
  /// @param rtt nanoseconds of the last round trip, 0 while none was measured; from any thread
  /// @param close closes it, from any thread
  public LiveLink(String id, Facts facts, IntSupplier open, LongSupplier rtt, Runnable close) {
    this.id = id;
    this.facts = facts;
    this.open = open;
    this.rtt = rtt;
    this.close = close;
  }

  public String id() {
    return id;
  }

  public Facts facts() {
    return facts;
  }

  /// In milliseconds since 1970.
  public long since() {
    return since;
  }

  public int open() {
    return open.getAsInt();
  }

  /// Closes it with the closing handshake, soon.
  public void close() {
    close.run();
  }

  /// 0 while it was not measured.
  public long rttNanos() {
    return rtt.getAsLong();
  }

  /// Which agent is at its other end, as it calls itself.
  public void agent(String agentId) {
    agent = agentId;
  }

  /// Null while it has not said.
  public @Nullable String agent() {
    return agent;
  }

  public void silent(boolean owesAnAnswer) {
    silent = owesAnAnswer;
  }

  /// It gets no new streams.
  public void drains() {
    draining = true;
  }

  /// As the API words it.
  public String state() {
    return draining ? "draining" : silent ? "silent" : "up";
  }
}
