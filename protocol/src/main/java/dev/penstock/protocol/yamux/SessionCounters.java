package dev.penstock.protocol.yamux;

/// Running totals of one session, read on its owner thread.
public final class SessionCounters {
  /// Streams of the peer that were reset because a backlog or limit was full.
  public long refusedOpens;

  /// Frames for streams that do not exist (late ones are normal; a flood is not).
  public long strayFrames;

  /// Streams reset because their unread bytes would have exceeded the budget.
  public long overBudgetResets;

  /// Times a window was enlarged, and times the budget forbade it.
  public long windowGrowths;

  public long windowGrowthsDenied;

  /// Pings that were answered, and how long the last of them took.
  public int pongs;

  public long lastRttNanos;
}
