package dev.penstock.protocol.link;

import dev.penstock.protocol.yamux.MuxSession;
import dev.penstock.protocol.yamux.SessionCounters;

/// Turns the running totals of a session into samples. One owner thread.
final class Sampler {
  private long grown;
  private long denied;
  private long stray;
  private long refused;
  private int pongs;
  private long canaries;

  /// The peer answered a canary stream.
  void canary() {
    canaries++;
  }

  /// What happened since the last call, or since the beginning.
  LinkSample sample(MuxSession session) {
    SessionCounters now = session.counters();
    var sample =
        new LinkSample(
            now.pongs == pongs ? 0 : now.lastRttNanos,
            now.windowGrowths - grown,
            now.windowGrowthsDenied - denied,
            now.strayFrames - stray,
            now.refusedOpens - refused,
            canaries);
    canaries = 0;
    pongs = now.pongs;
    grown = now.windowGrowths;
    denied = now.windowGrowthsDenied;
    stray = now.strayFrames;
    refused = now.refusedOpens;
    return sample;
  }
}
