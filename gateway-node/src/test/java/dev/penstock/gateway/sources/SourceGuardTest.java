package dev.penstock.gateway.sources;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.access.AccessRules;
import dev.penstock.access.Cidr;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SourceGuardTest {
  private static final InetAddress ANN = address("192.0.2.1");
  private static final InetAddress BOB = address("192.0.2.2");
  private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

  private final AtomicInteger forgotten = new AtomicInteger();

  private static InetAddress address(String literal) {
    return InetAddress.ofLiteral(literal);
  }

  private static List<Cidr> blocks(String... texts) {
    return Arrays.stream(texts).map(text -> Cidr.parse(text).orElseThrow()).toList();
  }

  private static AccessRules limits(int connections, int perSecond) {
    return new AccessRules(List.of(), List.of(), connections, perSecond, 0);
  }

  private SourceGuard guard(AccessRules gateway, AccessRules tunnel) {
    return new SourceGuard(gateway, tunnel, forgotten::incrementAndGet);
  }

  private SourceGuard guard(AccessRules tunnel) {
    return guard(AccessRules.EVERYBODY, tunnel);
  }

  @ParameterizedTest(name = "gateway +[{0}] -[{1}], tunnel +[{2}] -[{3}]: {4}")
  @CsvSource(
      delimiter = '|',
      value = {
        "           |            |              |              | ADMITTED",
        "           |            | 192.0.2.0/24 |              | ADMITTED",
        "           |            | 192.0.3.0/24 |              | NOT_ALLOWED",
        "           |            | ::/0         |              | NOT_ALLOWED",
        "           |            |              | 192.0.2.1    | DENIED",
        "           |            | 192.0.2.1    | 192.0.2.0/24 | DENIED",
        "           | 192.0.2.1  | 192.0.2.1    |              | DENIED",
        "10.0.0.0/8 |            | 192.0.2.1    |              | NOT_ALLOWED",
        "192.0.2.1  |            |              |              | ADMITTED",
        "192.0.2.1  |            | 192.0.2.2    |              | NOT_ALLOWED",
        "192.0.2.1  |            |              | 192.0.2.2    | ADMITTED",
      })
  void aTunnelNarrowsWhatTheGatewayAllowsAndNeverWidensIt(
      String allow, String deny, String tunnelAllow, String tunnelDeny, Verdict expected) {
    var guard =
        guard(
            new AccessRules(list(allow), list(deny), 0, 0, 0),
            new AccessRules(list(tunnelAllow), list(tunnelDeny), 0, 0, 0));
    assertThat(guard.admit(ANN, 0)).isEqualTo(expected);
  }

  private static List<Cidr> list(String text) {
    return text == null ? List.of() : blocks(text);
  }

  @Test
  void aSourceHasOnlySoManyConnectionsAtATime() {
    var guard = guard(limits(2, 0));
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.TOO_MANY);
    assertThat(guard.admit(BOB, 0)).isEqualTo(Verdict.ADMITTED);
    guard.released(ANN, 0);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.TOO_MANY);
  }

  @ParameterizedTest
  @CsvSource({"3, 0, 3", "0, 3, 3", "3, 5, 3", "5, 3, 3"})
  void theStricterOfTwoLimitsCounts(int gateway, int tunnel, int admitted) {
    var connections = guard(limits(gateway, 0), limits(tunnel, 0));
    var rate = guard(limits(0, gateway), limits(0, tunnel));
    for (int i = 0; i < admitted; i++) {
      assertThat(connections.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
      assertThat(rate.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    }
    assertThat(connections.admit(ANN, 0)).isEqualTo(Verdict.TOO_MANY);
    assertThat(rate.admit(ANN, 0)).isEqualTo(Verdict.TOO_FAST);
  }

  /// The clock of the JVM may start anywhere and run over.
  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE, Long.MAX_VALUE - 10, Long.MAX_VALUE - 100_000_000})
  void aSourceOpensOnlySoManyInASecondWhateverTheClockSays(long start) {
    var guard = guard(limits(0, 4));
    for (int i = 0; i < 4; i++) {
      assertThat(guard.admit(ANN, start)).isEqualTo(Verdict.ADMITTED);
    }
    assertThat(guard.admit(ANN, start)).isEqualTo(Verdict.TOO_FAST);
    assertThat(guard.admit(ANN, start + SECOND / 4 - 1)).isEqualTo(Verdict.TOO_FAST);
    assertThat(guard.admit(ANN, start + SECOND / 4)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, start + SECOND / 4)).isEqualTo(Verdict.TOO_FAST);
    assertThat(guard.admit(BOB, start + SECOND / 4)).isEqualTo(Verdict.ADMITTED);
  }

  @Test
  void aRefusalTakesNoTokenAndNoPlace() {
    var guard = guard(limits(1, 2));
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    for (int i = 0; i < 10; i++) {
      assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.TOO_MANY);
    }
    guard.released(ANN, 0);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
  }

  @Test
  void silenceSavesUpOneSecondAndNoMore() {
    var guard = guard(limits(0, 2));
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 100 * SECOND)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 100 * SECOND)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 100 * SECOND)).isEqualTo(Verdict.TOO_FAST);
  }

  @Test
  void theAddressesOfOneIpv6NetworkAreOneSource() {
    var guard = guard(limits(1, 0));
    assertThat(guard.admit(address("2001:db8:0:1::1"), 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(address("2001:db8:0:1:ffff::2"), 0)).isEqualTo(Verdict.TOO_MANY);
    assertThat(guard.admit(address("2001:db8:0:2::1"), 0)).isEqualTo(Verdict.ADMITTED);
    guard.released(address("2001:db8:0:1::9"), 0);
    assertThat(guard.admit(address("2001:db8:0:1::3"), 0)).isEqualTo(Verdict.ADMITTED);
  }

  @Test
  void anIpv4AddressIsNoIpv6NetworkAndAMappedOneIsItself() {
    var guard = guard(limits(1, 0));
    assertThat(guard.admit(address("0.0.0.1"), 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(address("0:0:0:1::"), 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(address("::ffff:192.0.2.1"), 0)).isEqualTo(Verdict.TOO_MANY);
  }

  @Test
  void newRulesCountTheConnectionsThatAreOpen() {
    var guard = guard(AccessRules.EVERYBODY);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    guard.rules(limits(2, 0));
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.TOO_MANY);
    guard.released(ANN, 0);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
  }

  @Test
  void aReleaseTooManyIsNoFreePlace() {
    var guard = guard(limits(1, 0));
    guard.released(ANN, 0);
    guard.released(ANN, 0);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.TOO_MANY);
  }

  @Test
  void nothingIsRememberedOfASourceThatLeftAndHasItsTokensBack() {
    var guard = guard(limits(2, 10));
    guard.admit(ANN, 0);
    guard.released(ANN, SECOND);
    assertThat(guard.sources()).isZero();
    guard.admit(ANN, 2 * SECOND);
    guard.released(ANN, 2 * SECOND);
    assertThat(guard.sources()).isEqualTo(1);
    guard.admit(BOB, 3 * SECOND);
    guard.released(BOB, 4 * SECOND);
    assertThat(guard.sources()).isZero();
  }

  @Test
  void withoutARateNothingIsRememberedOfASourceThatLeft() {
    var guard = guard(limits(2, 0));
    guard.admit(ANN, 0);
    guard.released(ANN, 0);
    assertThat(guard.sources()).isZero();
  }

  @Test
  void aFloodOfSourcesForgetsTheOneUnseenForLongestAndIsCounted() {
    var guard = guard(limits(0, 1));
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    guard.admit(BOB, 0);
    guard.released(BOB, 0);
    for (int i = 0; i < SourceGuard.MAX_IDLE - 1; i++) {
      flood(guard, i);
    }
    assertThat(forgotten).hasValue(0);
    assertThat(guard.admit(BOB, 0)).isEqualTo(Verdict.TOO_FAST);
    flood(guard, SourceGuard.MAX_IDLE);
    assertThat(forgotten).hasValue(1);
    assertThat(guard.sources()).isEqualTo(SourceGuard.MAX_IDLE + 1);
    // BOB was seen again and stays; ANN, who is connected, is never forgotten.
    assertThat(guard.admit(BOB, 0)).isEqualTo(Verdict.TOO_FAST);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.TOO_FAST);
    assertThat(guard.admit(flooder(0), 0)).isEqualTo(Verdict.ADMITTED);
  }

  private static void flood(SourceGuard guard, int number) {
    assertThat(guard.admit(flooder(number), 0)).isEqualTo(Verdict.ADMITTED);
    guard.released(flooder(number), 0);
  }

  private static InetAddress flooder(int number) {
    return address("10.0." + number / 256 + "." + number % 256);
  }

  private static AccessRules inAll(int connections) {
    return new AccessRules(List.of(), List.of(), 0, 0, connections);
  }

  @ParameterizedTest
  @CsvSource({"2, 0", "0, 2", "2, 5", "5, 2"})
  void aTunnelHasNoMoreConnectionsThanItMayWhoeverTheyAreFrom(int ofGateway, int ofTunnel) {
    var guard = new SourceGuard(inAll(ofGateway), inAll(ofTunnel), () -> {});
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(BOB, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.TUNNEL_FULL);
    assertThat(guard.admit(address("192.0.2.200"), 0)).isEqualTo(Verdict.TUNNEL_FULL);
    guard.released(BOB, 0);
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(BOB, 0)).isEqualTo(Verdict.TUNNEL_FULL);
    guard.released(ANN, 0);
    guard.released(ANN, 0);
    assertThat(guard.sources()).isZero();
  }

  @Test
  void whoIsRefusedByARuleOfItsOwnIsToldThatOneEvenWhenTheTunnelIsFull() {
    var guard =
        new SourceGuard(
            inAll(1), new AccessRules(List.of(), list("192.0.2.66"), 0, 0, 0), () -> {});
    assertThat(guard.admit(ANN, 0)).isEqualTo(Verdict.ADMITTED);
    assertThat(guard.admit(address("192.0.2.66"), 0)).isEqualTo(Verdict.DENIED);
  }
}
