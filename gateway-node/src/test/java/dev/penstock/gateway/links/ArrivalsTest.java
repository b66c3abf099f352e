package dev.penstock.gateway.links;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.gateway.links.Arrivals.Verdict;
import dev.penstock.gateway.links.GatewayLink.Socket;
import java.time.Duration;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ArrivalsTest {
  private static final long SECOND = Duration.ofSeconds(1).toNanos();

  /// The clock's origin means nothing, so it is an odd one.
  private long now = Long.MAX_VALUE - 10 * SECOND;

  private Verdict ask(Arrivals arrivals, String cluster, Socket socket) {
    return arrivals.ask(cluster, socket, now);
  }

  private int welcomeOf(Arrivals arrivals, int asked) {
    return (int)
        IntStream.range(0, asked)
            .filter(_ -> ask(arrivals, "lab", Socket.GATEWAY) == Verdict.WELCOME)
            .count();
  }

  @Test
  void socketsOfEachKindAndClusterAreBoundedByThemselves() {
    var arrivals = new Arrivals(1, 100);
    arrivals.opened("lab", Socket.GATEWAY);
    assertThat(ask(arrivals, "lab", Socket.GATEWAY)).isEqualTo(Verdict.TOO_MANY_SOCKETS);
    assertThat(ask(arrivals, "lab", Socket.CONTROLLER)).isEqualTo(Verdict.WELCOME);
    assertThat(ask(arrivals, "shop", Socket.GATEWAY)).isEqualTo(Verdict.WELCOME);
    arrivals.opened("lab", Socket.CONTROLLER);
    assertThat(ask(arrivals, "lab", Socket.CONTROLLER)).isEqualTo(Verdict.TOO_MANY_SOCKETS);
    arrivals.closed("lab", Socket.GATEWAY);
    assertThat(ask(arrivals, "lab", Socket.GATEWAY)).isEqualTo(Verdict.WELCOME);
  }

  @Test
  void aMinutesWorthOfLinksMayComeAtOnceAndThenOneAtATime() {
    var arrivals = new Arrivals(1, 60);
    assertThat(welcomeOf(arrivals, 100)).isEqualTo(60);
    assertThat(ask(arrivals, "lab", Socket.GATEWAY)).isEqualTo(Verdict.TOO_FAST);
    now += SECOND / 2;
    assertThat(ask(arrivals, "lab", Socket.GATEWAY)).isEqualTo(Verdict.TOO_FAST);
    now += SECOND / 2;
    assertThat(welcomeOf(arrivals, 100)).isEqualTo(1);
    now += 600 * SECOND;
    assertThat(welcomeOf(arrivals, 100)).isEqualTo(60);
  }

  @Test
  void anotherClustersStormCostsNobodyElse() {
    var arrivals = new Arrivals(1, 1);
    assertThat(welcomeOf(arrivals, 10)).isEqualTo(1);
    assertThat(ask(arrivals, "shop", Socket.GATEWAY)).isEqualTo(Verdict.WELCOME);
  }

  @Test
  void allLinksOfAClusterMayComeBackAtOnceHoweverSlowThePace() {
    assertThat(welcomeOf(new Arrivals(10, 1), 100)).isEqualTo(10);
  }

  @Test
  void controllerSocketsHaveNoPace() {
    var arrivals = new Arrivals(1, 1);
    for (int i = 0; i < 100; i++) {
      assertThat(ask(arrivals, "lab", Socket.CONTROLLER)).isEqualTo(Verdict.WELCOME);
    }
  }

  @Test
  void aClusterThatWasLinkedInTheLastTwoMinutesReturns() {
    var arrivals = new Arrivals(1, 1);
    assertThat(arrivals.isReturn("lab", now)).isFalse();
    arrivals.linked("lab", now);
    assertThat(arrivals.isReturn("lab", now)).isTrue();
    assertThat(arrivals.isReturn("shop", now)).isFalse();
    now += 119 * SECOND;
    assertThat(arrivals.isReturn("lab", now)).isTrue();
    now += SECOND;
    assertThat(arrivals.isReturn("lab", now)).isFalse();
  }
}
