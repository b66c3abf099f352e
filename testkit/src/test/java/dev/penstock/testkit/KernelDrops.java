package dev.penstock.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Datagrams that the kernel dropped at a test's own sockets because it read them too slowly: they
/// were carried. Linux only.
final class KernelDrops {
  private static final int LOCAL_ADDRESS = 1;

  private KernelDrops() {}

  /// At the open sockets with these local ports, together.
  static long at(int... ports) {
    Set<String> endings =
        IntStream.of(ports)
            .mapToObj(port -> String.format(":%04X", port))
            .collect(Collectors.toSet());
    return Stream.of("udp", "udp6").mapToLong(table -> in(table, endings)).sum();
  }

  private static long in(String table, Set<String> endings) {
    try (Stream<String> lines = Files.lines(Path.of("/proc/net", table))) {
      return lines
          .skip(1)
          .map(line -> line.strip().split("\\s+"))
          .filter(fields -> {
            String address = fields[LOCAL_ADDRESS];
            return endings.contains(address.substring(address.lastIndexOf(':')));
          })
          .mapToLong(fields -> Long.parseLong(fields[fields.length - 1]))
          .sum();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
