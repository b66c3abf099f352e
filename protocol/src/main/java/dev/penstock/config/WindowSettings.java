package dev.penstock.config;

/// How much of what peers send may be held in memory, the same on both ends.
///
/// @param maxStream receive window in bytes up to which one stream may be tuned: 256 KiB to 1 GiB,
///   default 16 MiB; at most `sessionBudget`
/// @param sessionBudget bytes that the windows of one link together may be raised by: 1 MiB to 64
///   GiB, default 128 MiB; at most `processBudget`
/// @param processBudget bytes that the windows of all links together may be raised by: 1 MiB to 1
///   TiB, default 256 MiB
public record WindowSettings(int maxStream, long sessionBudget, long processBudget) {
  private static final int KIB = 1024;
  private static final int MIB = 1024 * KIB;
  private static final long GIB = 1024L * MIB;

  public static WindowSettings of(Section section) {
    var settings =
        new WindowSettings(
            section.get("max_stream", Kind.size(256 * KIB, 1024 * MIB), 16 * MIB),
            section.get("session_budget", Kind.bytes(MIB, 64 * GIB), 128L * MIB),
            section.get("process_budget", Kind.bytes(MIB, 1024 * GIB), 256L * MIB));
    if (settings.sessionBudget > settings.processBudget) {
      section.refuse(
          "session_budget",
          "found " + Units.show(settings.sessionBudget),
          "at most process_budget, which is " + Units.show(settings.processBudget));
    }
    if (settings.maxStream > settings.sessionBudget) {
      section.refuse(
          "max_stream",
          "found " + Units.show(settings.maxStream),
          "at most session_budget, which is " + Units.show(settings.sessionBudget));
    }
    return settings;
  }
}
