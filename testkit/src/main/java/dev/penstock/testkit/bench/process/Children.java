package dev.penstock.testkit.bench.process;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/// The processes that the kit started; closing ends them all, with what they started themselves.
/// Thread-safe.
public final class Children implements AutoCloseable {
  private static final Duration GRACE = Duration.ofSeconds(5);

  private final Set<Process> running = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  /// Starts a process and keeps it in mind.
  ///
  /// @throws IOException when it cannot be started, or all was ended before
  public Process start(ProcessBuilder builder) throws IOException {
    var process = builder.start();
    running.add(process);
    if (closed) {
      stop(process);
      throw new IOException("the kit is ending: " + builder.command().getFirst() + " not started");
    }
    return process;
  }

  /// Whether all was ended; nothing can be started any more.
  public boolean isClosed() {
    return closed;
  }

  /// Asks the process and its descendants to end, waits up to 5 s, and then ends them by force.
  public void stop(Process process) {
    running.remove(process);
    List<ProcessHandle> all =
        Stream.concat(Stream.of(process.toHandle()), process.descendants()).toList();
    all.forEach(ProcessHandle::destroy);
    var end = Instant.now().plus(GRACE);
    for (var handle : all) {
      if (!endsBefore(handle, end)) {
        handle.destroyForcibly();
      }
    }
  }

  private static boolean endsBefore(ProcessHandle handle, Instant end) {
    try {
      long millis = Math.max(1, Duration.between(Instant.now(), end).toMillis());
      handle.onExit().get(millis, TimeUnit.MILLISECONDS);
      return true;
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      return false;
    } catch (ExecutionException | TimeoutException _) {
      return false;
    }
  }

  /// Ends all of them and starts no more.
  @Override
  public void close() {
    closed = true;
    List.copyOf(running).forEach(this::stop);
  }
}
