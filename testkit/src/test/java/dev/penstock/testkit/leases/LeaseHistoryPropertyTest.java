package dev.penstock.testkit.leases;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.Seeds;
import dev.penstock.testkit.leases.LeaseHistory.Lease;
import dev.penstock.testkit.leases.LeaseHistory.Tunnel;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Clients call a server that does right, in simulated time; calls take effect at any moment
/// between their beginning and their end, and some take long.
class LeaseHistoryPropertyTest {
  private static final int CLIENTS = 6;
  private static final int CALLS = 1_500;
  private static final List<String> CLUSTERS = List.of("red", "green", "blue");
  private static final int TUNNELS = 20;
  private static final int FIRST_PORT = 12_220;

  static LongStream seeds() {
    return Seeds.many();
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void aServerThatDoesRightIsNeverAccused(long seed) {
    assertThat(new World(seed).run().violations()).isEmpty();
  }

  private record Event(long time, Runnable action) {}

  private static final class World {
    private final RandomGenerator random;
    private final LeaseHistory history = new LeaseHistory();
    private final PriorityQueue<Event> events =
        new PriorityQueue<>(Comparator.comparingLong(Event::time));
    private final Map<Tunnel, Lease> table = new HashMap<>();
    private long fencing;
    private int calls;

    World(long seed) {
      random = Seeds.random(seed);
    }

    LeaseHistory run() {
      for (int client = 0; client < CLIENTS; client++) {
        call(client);
      }
      for (Event next = events.poll(); next != null; next = events.poll()) {
        next.action().run();
      }
      table.forEach(history::atTheEnd);
      return history;
    }

    private void call(long began) {
      if (++calls > CALLS) {
        return;
      }
      int number = random.nextInt(TUNNELS);
      var tunnel =
          new Tunnel(CLUSTERS.get(random.nextInt(CLUSTERS.size())), Integer.toString(number));
      boolean isSlow = random.nextInt(4) == 0;
      long takes = isSlow ? random.nextLong(200, 4_000) : random.nextLong(10, 120);
      long effect = began + 1 + random.nextLong(takes);
      long ended = began + 1 + takes;
      if (random.nextInt(5) < 2) {
        events.add(new Event(effect, () -> table.remove(tunnel)));
        events.add(
            new Event(
                ended,
                () -> {
                  history.released(tunnel, began, ended);
                  call(ended + 1);
                }));
      } else {
        var given = new Lease[1];
        events.add(new Event(effect, () -> given[0] = table.computeIfAbsent(tunnel, _ -> grant())));
        events.add(
            new Event(
                ended,
                () -> {
                  history.granted(tunnel, given[0], began, ended);
                  call(ended + 1);
                }));
      }
    }

    /// The lowest port that nobody has.
    private Lease grant() {
      int port = FIRST_PORT;
      var taken = table.values().stream().map(Lease::port).toList();
      while (taken.contains(port)) {
        port++;
      }
      return new Lease("tcp", port, ++fencing);
    }
  }
}
