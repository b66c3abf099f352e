package dev.penstock.testkit.bench.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.stream.Stream;

/// What Linux tells about processes, read from `/proc`. A process that ended counts as nothing.
public final class ProcFiles {
  /// Clock ticks of `/proc/PID/stat`; 100 on every architecture that Java runs on.
  private static final double TICKS_PER_SECOND = 100;

  private static final int FIRST_FIELD_AFTER_NAME = 3;
  private static final int UTIME = 14;
  private static final int CSTIME = 17;

  private ProcFiles() {}

  /// CPU seconds, user and system, of the process, its descendants, and those of them that ended
  /// and were waited for. Resolution 10 ms.
  public static double cpuSeconds(ProcessHandle process) {
    return tree(process).map(handle -> read(handle, "stat")).mapToLong(ProcFiles::ticks).sum()
        / TICKS_PER_SECOND;
  }

  /// Memory of the process and its descendants, from `smaps_rollup`.
  public static Memory memory(ProcessHandle process) {
    return tree(process)
        .map(handle -> parseMemory(read(handle, "smaps_rollup")))
        .reduce(new Memory(0, 0), Memory::plus);
  }

  private static Stream<ProcessHandle> tree(ProcessHandle process) {
    return Stream.concat(Stream.of(process), process.descendants());
  }

  private static String read(ProcessHandle handle, String file) {
    try {
      return Files.readString(Path.of("/proc", Long.toString(handle.pid()), file));
    } catch (IOException _) {
      return "";
    }
  }

  /// utime + stime + cutime + cstime of a line of `/proc/PID/stat`. The name in it may hold spaces
  /// and parentheses; what follows its last parenthesis is field 3.
  static long ticks(String stat) {
    if (stat.isEmpty()) {
      return 0;
    }
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    long ticks = 0;
    for (int field = UTIME; field <= CSTIME; field++) {
      ticks += Long.parseLong(fields[field - FIRST_FIELD_AFTER_NAME]);
    }
    return ticks;
  }

  static Memory parseMemory(String rollup) {
    return new Memory(kib(rollup, "Rss:").orElse(0), kib(rollup, "Pss:").orElse(0));
  }

  private static OptionalLong kib(String rollup, String key) {
    return rollup
        .lines()
        .filter(line -> line.startsWith(key))
        .mapToLong(line -> Long.parseLong(line.substring(key.length()).replace("kB", "").strip()))
        .findFirst();
  }

  /// Memory in KiB.
  ///
  /// @param rss resident pages, shared ones counted in full in every process
  /// @param pss resident pages, shared ones divided among their users
  public record Memory(long rss, long pss) {
    /// The sum.
    public Memory plus(Memory other) {
      return new Memory(rss + other.rss, pss + other.pss);
    }
  }
}
