package dev.penstock.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.HostPort;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PulsesTest {
  private static final long SECOND = Duration.ofSeconds(1).toNanos();

  /// Where `nanoTime` overflows.
  private static final long START = Long.MAX_VALUE - 3 * SECOND;

  private static final NodeId SELF = node(1, 1);
  private static final NodeId TWO = node(2, 1);
  private static final NodeId THREE = node(3, 1);
  private static final Founding FIRST = new Founding(1, TWO.toString());
  private static final Founding SECOND_ONE = new Founding(2, SELF.toString());

  private final Pulses pulses = new Pulses(SELF, Duration.ofSeconds(6));

  private static NodeId node(int number, long incarnation) {
    return new NodeId(new HostPort("10.0.0." + number, 7355), incarnation);
  }

  private static Pulse of(NodeId node, Founding founding, long beat) {
    return new Pulse(node, founding, beat);
  }

  private void seen(long second, Pulse... all) {
    pulses.seen(List.of(all), START + second * SECOND);
  }

  private boolean mayFound(long second) {
    return pulses.mayFound(START + second * SECOND);
  }

  private List<HostPort> rivals(Founding mine, long second) {
    return pulses.rivals(mine, START + second * SECOND);
  }

  @Test
  void whatWasNeverReadSaysNothing() {
    assertThat(mayFound(100)).isFalse();
  }

  @Test
  void withoutAnySignAClusterMayBeFormedAtOnce() {
    seen(0);
    assertThat(mayFound(0)).isTrue();
  }

  @Test
  void aSignOfOnesOwnEarlierLifeSaysNothing() {
    seen(0, of(node(1, 99), FIRST, 5));
    assertThat(mayFound(0)).isTrue();
  }

  @Test
  void aSignThatDoesNotChangeForAWhileIsOfADeadNode() {
    seen(0, of(TWO, FIRST, 5));
    assertThat(mayFound(5)).isFalse();
    seen(6, of(TWO, FIRST, 5));
    assertThat(mayFound(6)).isTrue();
    assertThat(pulses.living(START + 6 * SECOND)).isEmpty();
  }

  @Test
  void aSignThatChangesIsOfALivingNode() {
    for (int second = 0; second < 60; second += 5) {
      seen(second, of(TWO, FIRST, second));
      assertThat(mayFound(second + 4)).isFalse();
    }
    assertThat(pulses.living(START + 60 * SECOND)).containsExactly(TWO.address());
    seen(61, of(TWO, FIRST, 55));
    assertThat(pulses.living(START + 61 * SECOND)).isEmpty();
    assertThat(mayFound(61)).isTrue();
  }

  @Test
  void aNodeThatStartedAnewAtItsAddressLives() {
    seen(0, of(TWO, FIRST, 5));
    seen(3, of(node(2, 2), FIRST, 5));
    assertThat(pulses.living(START + 4 * SECOND)).containsExactly(TWO.address());
  }

  @Test
  void aNodeThatTookItsSignBackIsGone() {
    seen(0, of(TWO, FIRST, 5));
    seen(1, of(TWO, FIRST, 6));
    seen(2);
    assertThat(mayFound(2)).isTrue();
  }

  @Test
  void whileSignsCannotBeReadNobodyDies() {
    seen(0, of(TWO, FIRST, 5));
    pulses.missed();
    assertThat(mayFound(100)).isFalse();
    seen(100, of(TWO, FIRST, 5));
    assertThat(mayFound(105)).isFalse();
    assertThat(mayFound(106)).isTrue();
  }

  @Test
  void whoWasDeadForLongIsTold() {
    seen(0, of(TWO, FIRST, 5), of(THREE, FIRST, 5));
    seen(3000, of(TWO, FIRST, 5), of(THREE, FIRST, 6));
    assertThat(pulses.dead(Duration.ofHours(1), START + 3599 * SECOND)).isEmpty();
    assertThat(pulses.dead(Duration.ofHours(1), START + 3600 * SECOND)).containsExactly(TWO);
  }

  @Test
  void aMemberTellsWhichClusterItIsUnlessItIsOfAnEarlierLife() {
    seen(0, of(TWO, FIRST, 5), of(THREE, Founding.UNKNOWN, 5));
    assertThat(pulses.foundingOf(Set.of(SELF, TWO, THREE))).contains(FIRST);
    assertThat(pulses.foundingOf(Set.of(SELF, THREE))).isEmpty();
    assertThat(pulses.foundingOf(Set.of(SELF, node(2, 2), THREE))).isEmpty();
  }

  @Test
  void eachClusterHasAHigherNumberThanThoseBefore() {
    seen(0);
    assertThat(pulses.next()).isEqualTo(new Founding(1, SELF.toString()));
    seen(1, of(TWO, new Founding(7, "x"), 1), of(node(1, 99), new Founding(9, "y"), 1));
    assertThat(pulses.next()).isEqualTo(new Founding(10, SELF.toString()));
  }

  /// Both beat once a second, from the second 0 on; what a node of `mine` is told then.
  private List<HostPort> after(int seconds, Founding mine, Pulse... others) {
    List<HostPort> rivals = List.of();
    for (int second = 0; second <= seconds; second++) {
      var all = new ArrayList<Pulse>();
      for (Pulse other : others) {
        all.add(of(other.node(), other.founding(), second));
      }
      pulses.seen(all, START + second * SECOND);
      rivals = rivals(mine, second);
    }
    return rivals;
  }

  @Test
  void theClusterWithMoreNodesLivesOn() {
    var five = node(5, 1);
    var others =
        new Pulse[] {
          of(TWO, FIRST, 0),
          of(THREE, FIRST, 0),
          of(node(4, 1), SECOND_ONE, 0),
          of(five, SECOND_ONE, 0)
        };
    assertThat(after(10, SECOND_ONE, others)).isEmpty();
    pulses.missed();
    assertThat(after(10, FIRST, others)).isEmpty();
    pulses.missed();
    assertThat(after(10, FIRST, others[1], others[2], others[3])).isEmpty();
    pulses.missed();
    assertThat(after(10, FIRST, others[2], others[3]))
        .containsExactly(others[2].node().address(), five.address());
  }

  @Test
  void ofEqualOnesTheOneThatWasFormedFirst() {
    assertThat(after(10, SECOND_ONE, of(TWO, FIRST, 0))).containsExactly(TWO.address());
    pulses.missed();
    assertThat(after(10, FIRST, of(TWO, SECOND_ONE, 0))).isEmpty();
  }

  @Test
  void twoThatWereFormedAtOnceAreApartByWhoFormedThem() {
    var ours = new Founding(1, "b");
    assertThat(after(10, ours, of(TWO, new Founding(1, "a"), 0))).containsExactly(TWO.address());
    pulses.missed();
    assertThat(after(10, ours, of(TWO, new Founding(1, "c"), 0))).isEmpty();
  }

  @Test
  void nodesThatDoNotSayWhichClusterTheyAreInAreNoRivals() {
    assertThat(after(20, FIRST, of(TWO, Founding.UNKNOWN, 0), of(THREE, Founding.UNKNOWN, 0)))
        .isEmpty();
  }

  @Test
  void nodesThatAreDeadAreNoRivals() {
    seen(0, of(TWO, FIRST, 5), of(THREE, FIRST, 5));
    for (int second = 1; second < 30; second++) {
      seen(second, of(TWO, FIRST, 5), of(THREE, FIRST, 5));
      assertThat(rivals(SECOND_ONE, second)).isEmpty();
    }
  }

  @Test
  void aRivalIsToldAfterAWhileOnly() {
    // Seen to live at the second 1.
    assertThat(after(6, SECOND_ONE, of(TWO, FIRST, 0))).isEmpty();
    pulses.missed();
    assertThat(after(7, SECOND_ONE, of(TWO, FIRST, 0))).isNotEmpty();
  }
}
