package dev.penstock.testkit.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/// What the numbers depend on besides the peers.
///
/// @param congestionControl of TCP, the system's default
public record Environment(
    String date, String kernel, String cpu, int cores, String congestionControl, String java) {
  /// Of this machine, now.
  public static Environment read() {
    return new Environment(
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        file("/proc/cpuinfo")
            .lines()
            .filter(line -> line.startsWith("model name"))
            .map(line -> line.substring(line.indexOf(':') + 1).strip())
            .findFirst()
            .orElse("unknown"),
        Runtime.getRuntime().availableProcessors(),
        file("/proc/sys/net/ipv4/tcp_congestion_control").strip(),
        Runtime.version().toString());
  }

  /// The load average of the last minute; 0 where the system does not tell.
  public static double load() {
    String text = file("/proc/loadavg");
    return text.isEmpty() ? 0 : Double.parseDouble(text.substring(0, text.indexOf(' ')));
  }

  private static String file(String path) {
    try {
      return Files.readString(Path.of(path));
    } catch (IOException _) {
      return "";
    }
  }
}
