package dev.penstock.gateway.links;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class HandshakesTest {
  private static final long SECOND = Duration.ofSeconds(1).toNanos();

  private final RandomGenerator random = new SplittableRandom(1);
  private long now = Long.MAX_VALUE - 10 * SECOND;

  private int takenOf(Handshakes handshakes, int asked) {
    return (int)
        IntStream.range(0, asked)
            .filter(i -> handshakes.ask("c" + i, now, random).isEmpty())
            .count();
  }

  @Test
  void asManyAreUnderWayAsMayBe() {
    var handshakes = new Handshakes(3, 1000);
    assertThat(takenOf(handshakes, 10)).isEqualTo(3);
    handshakes.over("c0");
    assertThat(takenOf(handshakes, 10)).isEqualTo(1);
    assertThat(handshakes.open()).isEqualTo(3);
  }

  @Test
  void aClusterWhoseAgentsNeverFinishKeepsOutNoOther() {
    var handshakes = new Handshakes(50, 1000);
    for (int i = 0; i < 5; i++) {
      assertThat(handshakes.ask("lab", now, random)).isEmpty();
    }
    assertThat(handshakes.ask("lab", now, random)).isPresent();
    assertThat(takenOf(handshakes, 100)).isEqualTo(45);
    handshakes.over("lab");
    assertThat(handshakes.ask("lab", now, random)).isEmpty();
  }

  @Test
  void aSecondsWorthMayComeAtOnceAndThenAtThePace() {
    var handshakes = new Handshakes(1000, 10);
    assertThat(takenOf(handshakes, 100)).isEqualTo(10);
    now += SECOND / 2;
    assertThat(takenOf(handshakes, 100)).isEqualTo(5);
    now += 100 * SECOND;
    assertThat(takenOf(handshakes, 100)).isEqualTo(10);
  }

  @Test
  void whoIsRefusedIsSentAwayForAtLeastASecondAndTheMoreTheLonger() {
    var handshakes = new Handshakes(1000, 10);
    List<Long> first = waits(handshakes, 20);
    assertThat(first).allMatch(seconds -> seconds >= 1 && seconds <= 2);
    waits(handshakes, 1000);
    List<Long> late = waits(handshakes, 200);
    assertThat(late).allMatch(seconds -> seconds >= 1 && seconds <= 20);
    assertThat(late.stream().distinct().count()).isGreaterThan(15);
    now += 1000 * SECOND;
    assertThat(waits(handshakes, 20)).allMatch(seconds -> seconds <= 2);
  }

  private List<Long> waits(Handshakes handshakes, int asked) {
    return IntStream.range(0, asked)
        .mapToObj(i -> handshakes.ask("c" + i, now, random))
        .flatMap(Optional::stream)
        .map(Duration::toSeconds)
        .toList();
  }

  @Test
  void aNodeThatDrainsTakesNobody() {
    var handshakes = new Handshakes(10, 10);
    handshakes.stop();
    assertThat(handshakes.ask("lab", now, random))
        .hasValueSatisfying(
            wait -> assertThat(wait).isBetween(Duration.ofSeconds(1), Duration.ofSeconds(3)));
  }

  /// Two thousand who all come at once and obey: each is in within a bounded time, and no second
  /// takes more than the pace.
  @Test
  void aStampedeBecomesAStream() {
    var handshakes = new Handshakes(500, 200);
    var due = new PriorityQueue<Long>();
    for (int i = 0; i < 2000; i++) {
      due.add(random.nextLong(SECOND / 10));
    }
    long start = now;
    var taken = new ArrayList<Long>();
    while (!due.isEmpty()) {
      long at = due.poll();
      now = start + at;
      Optional<Duration> wait = handshakes.ask("lab", now, random);
      if (wait.isEmpty()) {
        taken.add(at);
        handshakes.over("lab");
      } else {
        due.add(at + wait.get().toNanos() + random.nextLong(SECOND / 2));
      }
    }
    assertThat(taken.getLast()).isLessThan(30 * SECOND);
    for (int second = 0; second < 30; second++) {
      long from = second * SECOND;
      assertThat(taken.stream().filter(at -> at >= from && at < from + SECOND).count())
          .isLessThanOrEqualTo(400);
    }
  }
}
