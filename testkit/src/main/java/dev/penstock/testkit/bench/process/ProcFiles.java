package dev.penstock.testkit.bench.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// What Linux tells about processes, read from `/proc`. A process that ended counts as nothing.
public final class ProcFiles {
  /// Clock ticks of `/proc/PID/stat`; 100 on every architecture that Java runs on.
  private static final double TICKS_PER_SECOND = 100;

  private static final int FIRST_FIELD_AFTER_NAME = 3;
  private static final int UTIME = 14;
  private static final int STIME = 15;

  private ProcFiles() {}

  /// CPU time of the process and of its descendants that live now.
  public static CpuTime cpuTime(ProcessHandle process) {
    return new CpuTime(
        tree(process)
            .collect(
                Collectors.toMap(
                    ProcessHandle::pid, handle -> ticks(read(handle, "stat")), Math::max)));
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

  /// utime + stime of a line of `/proc/PID/stat`; 0 for an empty one. The name in it may hold
  /// spaces and parentheses; what follows its last parenthesis is field 3.
  static long ticks(String stat) {
    if (stat.isEmpty()) {
      return 0;
    }
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return Long.parseLong(fields[UTIME - FIRST_FIELD_AFTER_NAME])
        + Long.parseLong(fields[STIME - FIRST_FIELD_AFTER_NAME]);
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

  /// CPU time of processes at one moment; resolution 10 ms.
  ///
  /// @param ticks user and system time by process id
  public record CpuTime(Map<Long, Long> ticks) {
    /// None.
    public static final CpuTime NONE = new CpuTime(Map.of());

    /// Copies the map.
    public CpuTime {
      ticks = Map.copyOf(ticks);
    }

    /// Both.
    public CpuTime plus(CpuTime other) {
      var both = new HashMap<>(ticks);
      both.putAll(other.ticks);
      return new CpuTime(both);
    }

    /// Seconds that the processes of this moment have used since an earlier one. What ended in
    /// between is left out: forking proxies ignore their children, and the kernel then drops their
    /// times.
    public double secondsSince(CpuTime earlier) {
      long sum = 0;
      for (var process : ticks.entrySet()) {
        sum += process.getValue() - earlier.ticks.getOrDefault(process.getKey(), 0L);
      }
      return sum / TICKS_PER_SECOND;
    }
  }
}
