package dev.penstock.gateway.leases;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.LeaseResult.Change;
import dev.penstock.gateway.leases.LeaseResult.Conflict;
import dev.penstock.gateway.leases.LeaseResult.Exhausted;
import dev.penstock.gateway.leases.LeaseResult.Granted;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LeaseBookTest {
  private final LeaseBook book = new LeaseBook(new PortRange(10_000, 35_000), List.of(), 0);

  private static LeaseRequest tcp(String cluster, String tunnel, int listenerPort) {
    return new LeaseRequest(
        new TunnelIdentity(cluster, tunnel),
        Transport.TCP,
        listenerPort,
        OptionalInt.empty(),
        "{}");
  }

  private static LeaseRequest wanting(LeaseRequest request, int port) {
    return new LeaseRequest(
        request.identity(),
        request.transport(),
        request.listenerPort(),
        OptionalInt.of(port),
        request.registration());
  }

  private static Lease granted(LeaseResult result) {
    assertThat(result).isInstanceOf(Granted.class);
    return ((Granted) result).lease();
  }

  private static String conflict(LeaseResult result) {
    assertThat(result).isInstanceOf(Conflict.class);
    return ((Conflict) result).text();
  }

  @Test
  void aTunnelIsGivenTenThousandMoreThanItsListenerPort() {
    assertThat(granted(book.lease(tcp("lab", "redis", 6379))).port()).isEqualTo(16_379);
    assertThat(granted(book.lease(tcp("shop", "redis", 6379))).port()).isEqualTo(16_380);
    assertThat(granted(book.lease(tcp("shop", "other", 6380))).port()).isEqualTo(16_381);
  }

  @Test
  void theSameTunnelIsGivenTheSamePortWhateverItWants() {
    Lease first = granted(book.lease(tcp("lab", "redis", 6379)));
    assertThat(book.lease(tcp("lab", "redis", 6379))).isEqualTo(new Granted(first, Change.NONE));
    assertThat(granted(book.lease(wanting(tcp("lab", "redis", 1), 20_000)))).isEqualTo(first);
  }

  @Test
  void aChangedRegistrationKeepsPortAndFencingNumber() {
    Lease first = granted(book.lease(tcp("lab", "redis", 6379)));
    var changed =
        new LeaseRequest(first.identity(), Transport.TCP, 6379, OptionalInt.empty(), "{\"a\":1}");
    assertThat(book.lease(changed))
        .isEqualTo(
            new Granted(
                new Lease(first.identity(), Transport.TCP, 16_379, first.fencing(), "{\"a\":1}"),
                Change.UPDATED));
    assertThat(book.isCurrent(first)).isTrue();
  }

  @Test
  void tcpAndUdpShareANumber() {
    var udp =
        new LeaseRequest(
            new TunnelIdentity("lab", "dns"), Transport.UDP, 53, OptionalInt.empty(), "");
    assertThat(granted(book.lease(udp)).port()).isEqualTo(10_053);
    assertThat(granted(book.lease(tcp("lab", "dns", 53))).port()).isEqualTo(10_053);
  }

  @Test
  void aWantedPortIsGivenOrRefusedWithoutNamingAnotherTenant() {
    assertThat(granted(book.lease(wanting(tcp("lab", "web", 80), 18_000))).port())
        .isEqualTo(18_000);
    assertThat(conflict(book.lease(wanting(tcp("shop", "web", 80), 18_000))))
        .isEqualTo(
            "public port: 18000 is taken by another tunnel (expected: a free port of 10000-35000, or"
                + " none to be given one)");
    assertThat(conflict(book.lease(wanting(tcp("lab", "web2", 80), 18_000))))
        .startsWith("public port: 18000 is taken by this cluster's tunnel web (expected: ");
    assertThat(conflict(book.lease(wanting(tcp("lab", "web2", 80), 80))))
        .isEqualTo("public port: 80 (expected: one of 10000-35000)");
  }

  @Test
  void afterTheLastPortTheFirstFollows() {
    var small = new LeaseBook(new PortRange(10_001, 10_003), List.of(), 0);
    assertThat(granted(small.lease(tcp("a", "1", 3))).port()).isEqualTo(10_003);
    assertThat(granted(small.lease(tcp("a", "2", 3))).port()).isEqualTo(10_001);
    assertThat(granted(small.lease(tcp("a", "3", 60_000))).port()).isEqualTo(10_002);
    assertThat(small.lease(tcp("a", "4", 1)))
        .isEqualTo(
            new Exhausted(
                "public port: none of 10001-10003 is free (expected: a released tunnel or a larger"
                    + " range)"));
  }

  @Test
  void aReleasedPortIsGrantedAgainWithAHigherNumber() {
    Lease first = granted(book.lease(tcp("lab", "redis", 6379)));
    assertThat(book.release(first.identity(), Transport.TCP)).contains(first);
    assertThat(book.release(first.identity(), Transport.TCP)).isEmpty();
    Lease second = granted(book.lease(tcp("shop", "redis", 6379)));
    assertThat(second.port()).isEqualTo(first.port());
    assertThat(second.fencing()).isGreaterThan(first.fencing());
    assertThat(book.isCurrent(first)).isFalse();
  }

  @Test
  void aPortThatCannotBeBoundIsPassedOverUntilItCan() {
    book.markUnbindable(Transport.TCP, 16_379);
    assertThat(granted(book.lease(tcp("lab", "redis", 6379))).port()).isEqualTo(16_380);
    assertThat(conflict(book.lease(wanting(tcp("lab", "x", 1), 16_379))))
        .startsWith("public port: 16379 is used by another program on the gateway");
    book.markBindable(Transport.TCP, 16_379);
    assertThat(granted(book.lease(tcp("shop", "redis", 6379))).port()).isEqualTo(16_379);
  }

  @Test
  void aLeaseOutsideOfAShrunkenRangeIsReplaced() {
    var old = new Lease(new TunnelIdentity("lab", "x"), Transport.TCP, 40_000, 5, "");
    var shrunken = new LeaseBook(new PortRange(10_000, 35_000), List.of(old), 5);
    assertThat(shrunken.outOfRange()).containsExactly(old);
    Lease fresh = granted(shrunken.lease(tcp("lab", "x", 80)));
    assertThat(fresh.port()).isEqualTo(10_080);
    assertThat(fresh.fencing()).isEqualTo(6);
  }

  static LongStream seeds() {
    Long pinned = Long.getLong("seed");
    return pinned != null ? LongStream.of(pinned) : LongStream.range(0, 100);
  }

  /// Against the plainest model: search the range one by one.
  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void anyHistoryFollowsTheRule(long seed) {
    var random = new SplittableRandom(seed);
    var range = new PortRange(10_000, 10_000 + random.nextInt(1, 30));
    var tested = new LeaseBook(range, List.of(), 0);
    var model = new HashMap<Integer, TunnelIdentity>();
    var blocked = new HashSet<Integer>();
    long fencing = 0;
    for (int step = 0; step < 300; step++) {
      var identity = new TunnelIdentity("c" + random.nextInt(3), "t" + random.nextInt(15));
      int port = range.first() + random.nextInt(range.size());
      switch (random.nextInt(8)) {
        case 0 -> {
          tested.release(identity, Transport.TCP);
          model.values().removeIf(identity::equals);
        }
        case 1 -> {
          tested.markUnbindable(Transport.TCP, port);
          blocked.add(port);
        }
        case 2 -> {
          tested.markBindable(Transport.TCP, port);
          blocked.remove(port);
        }
        default -> {
          int listener = random.nextInt(1, 50);
          boolean wants = random.nextInt(3) == 0;
          int wanted = 9_995 + random.nextInt(40);
          var request = tcp(identity.cluster(), identity.tunnelId(), listener);
          var result = tested.lease(wants ? wanting(request, wanted) : request);
          int expected = 0;
          if (model.containsValue(identity)) {
            for (var entry : model.entrySet()) {
              expected = entry.getValue().equals(identity) ? entry.getKey() : expected;
            }
          } else {
            int from = wants ? wanted : 10_000 + listener;
            from = !wants && !range.contains(from) ? range.first() : from;
            for (int i = 0; i < (wants ? 1 : range.size()) && expected == 0; i++) {
              int candidate =
                  wants ? wanted : range.first() + (from - range.first() + i) % range.size();
              boolean free = !model.containsKey(candidate) && !blocked.contains(candidate);
              expected = range.contains(candidate) && free ? candidate : 0;
            }
          }
          if (expected == 0) {
            assertThat(result).isInstanceOf(wants ? Conflict.class : Exhausted.class);
          } else {
            Lease lease = granted(result);
            assertThat(lease.port()).isEqualTo(expected);
            if (model.put(expected, identity) == null) {
              assertThat(lease.fencing()).isGreaterThan(fencing);
              fencing = lease.fencing();
            }
          }
        }
      }
      assertThat(tested.leases()).hasSize(model.size());
    }
  }
}
