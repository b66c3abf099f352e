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
  private static final long NANOS_PER_TICK = 10_000_000;

  private static final double NANOS_PER_SECOND = 1e9;

  private static final int FIRST_FIELD_AFTER_NAME = 3;
  private static final int UTIME = 14;
  private static final int STIME = 15;
  private static final int THREADS = 20;

  private ProcFiles() {}

  /// CPU time of the process and of its descendants that live now.
  public static CpuTime cpuTime(ProcessHandle process) {
    return new CpuTime(
        tree(process).collect(Collectors.toMap(ProcessHandle::pid, ProcFiles::nanos, Math::max)));
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

  private static long nanos(ProcessHandle handle) {
    return nanos(read(handle, "stat"), read(handle, "schedstat"));
  }

  /// User and system time of a process; 0 for one that is gone. `stat` counts all threads, but in
  /// ticks: hundreds of processes that each use less than one look idle. `schedstat` is exact, but
  /// counts the first thread only. So: the exact one for processes with one thread.
  ///
  /// @param stat the line of `/proc/PID/stat`. The name in it may hold spaces and parentheses; what
  ///   follows its last parenthesis is field 3
  /// @param schedstat the line of `/proc/PID/schedstat`; empty on kernels without it
  static long nanos(String stat, String schedstat) {
    if (stat.isEmpty()) {
      return 0;
    }
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    if (field(fields, THREADS) == 1 && !schedstat.isEmpty()) {
      return Long.parseLong(schedstat.substring(0, schedstat.indexOf(' ')));
    }
    return (field(fields, UTIME) + field(fields, STIME)) * NANOS_PER_TICK;
  }

  private static long field(String[] fieldsAfterName, int number) {
    return Long.parseLong(fieldsAfterName[number - FIRST_FIELD_AFTER_NAME]);
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

  /// CPU time of processes at one moment; resolution 10 ms for those with several threads.
  ///
  /// @param nanos user and system time by process id
  public record CpuTime(Map<Long, Long> nanos) {
    /// None.
    public static final CpuTime NONE = new CpuTime(Map.of());

    /// Copies the map.
    public CpuTime {
      nanos = Map.copyOf(nanos);
    }

    /// Both.
    public CpuTime plus(CpuTime other) {
      var both = new HashMap<>(nanos);
      both.putAll(other.nanos);
      return new CpuTime(both);
    }

    /// Seconds that the processes of this moment have used since an earlier one. What ended in
    /// between is left out: forking proxies ignore their children, and the kernel then drops their
    /// times.
    public double secondsSince(CpuTime earlier) {
      long sum = 0;
      for (var process : nanos.entrySet()) {
        sum += process.getValue() - earlier.nanos.getOrDefault(process.getKey(), 0L);
      }
      return sum / NANOS_PER_SECOND;
    }
  }
}
