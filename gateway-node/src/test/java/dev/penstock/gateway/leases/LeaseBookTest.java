package dev.penstock.gateway.leases;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.LeaseResult.Change;
import dev.penstock.gateway.leases.LeaseResult.Conflict;
import dev.penstock.gateway.leases.LeaseResult.Exhausted;
import dev.penstock.gateway.leases.LeaseResult.Granted;
import dev.penstock.gateway.leases.LeaseResult.OverQuota;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LeaseBookTest {
  private static final Quota QUOTA = new Quota(100, 10_000);

  private final LeaseBook book = book(new PortRange(10_000, 35_000));

  private static LeaseBook book(PortRange range, TunnelRecord... before) {
    return new LeaseBook(LeasePolicy.open(range, QUOTA), List.of(before), before.length);
  }

  private static LeaseRequest tcp(String cluster, String tunnel, int listenerPort) {
    return new LeaseRequest(
        new TunnelIdentity(cluster, tunnel),
        Transport.TCP,
        new PortWish.Near(listenerPort),
        Origin.REGISTRATION,
        "{}");
  }

  private static LeaseRequest wanting(LeaseRequest request, PortWish wish) {
    return new LeaseRequest(
        request.identity(), request.transport(), wish, request.origin(), request.registration());
  }

  private static LeaseRequest wanting(LeaseRequest request, int port) {
    return wanting(request, new PortWish.Exactly(port));
  }

  private static LeaseRequest saying(LeaseRequest request, String registration) {
    return new LeaseRequest(
        request.identity(), request.transport(), request.wish(), request.origin(), registration);
  }

  private static TunnelRecord tunnel(LeaseResult result) {
    assertThat(result).isInstanceOf(Granted.class);
    return ((Granted) result).tunnel();
  }

  private static Lease granted(LeaseResult result) {
    return tunnel(result).lease();
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
    TunnelRecord first = tunnel(book.lease(tcp("lab", "redis", 6379)));
    assertThat(book.lease(tcp("lab", "redis", 6379))).isEqualTo(new Granted(first, Change.NONE));
    assertThat(tunnel(book.lease(wanting(tcp("lab", "redis", 1), 20_000)))).isEqualTo(first);
  }

  @Test
  void aChangedRegistrationKeepsPortAndFencingNumber() {
    TunnelRecord first = tunnel(book.lease(tcp("lab", "redis", 6379)));
    assertThat(book.lease(saying(tcp("lab", "redis", 6379), "{\"a\":1}")))
        .isEqualTo(
            new Granted(
                new TunnelRecord(
                    first.identity(),
                    Transport.TCP,
                    first.lease(),
                    Origin.REGISTRATION,
                    "{\"a\":1}"),
                Change.UPDATED));
  }

  @Test
  void aTunnelThatNeedsNoPortHasNoneUntilItDoesAndKeepsItThen() {
    var direct = wanting(tcp("lab", "redis", 6379), new PortWish.None());
    assertThat(granted(book.lease(direct))).isNull();
    assertThat(book.at(Transport.TCP, 16_379)).isEmpty();
    Lease lease = granted(book.lease(tcp("lab", "redis", 6379)));
    assertThat(lease.port()).isEqualTo(16_379);
    assertThat(granted(book.lease(direct))).isEqualTo(lease);
    assertThat(granted(book.lease(tcp("shop", "redis", 6379))).port()).isEqualTo(16_380);
  }

  @Test
  void whatASyncNamedOnceStaysSo() {
    var request = tcp("lab", "redis", 6379);
    book.lease(
        new LeaseRequest(request.identity(), Transport.TCP, request.wish(), Origin.SYNC, "{}"));
    assertThat(tunnel(book.lease(request)).origin()).isEqualTo(Origin.SYNC);
  }

  @Test
  void tcpAndUdpShareANumberButNotAnId() {
    var udp =
        new LeaseRequest(
            new TunnelIdentity("lab", "dns-udp"),
            Transport.UDP,
            new PortWish.Near(53),
            Origin.REGISTRATION,
            "");
    assertThat(granted(book.lease(udp)).port()).isEqualTo(10_053);
    assertThat(granted(book.lease(tcp("lab", "dns", 53))).port()).isEqualTo(10_053);
    assertThat(conflict(book.lease(tcp("lab", "dns-udp", 53))))
        .isEqualTo(
            "protocol: tcp (expected: udp, as the tunnel was registered, or another tunnel_id)");
  }

  @Test
  void oneClusterCannotTakeAllTheMemory() {
    for (int i = 0; i < QUOTA.tunnels(); i++) {
      granted(book.lease(tcp("lab", "t" + i, 80)));
    }
    assertThat(book.lease(tcp("lab", "one-more", 80)))
        .isEqualTo(
            new OverQuota("tunnels: 100 of this cluster are registered (expected: at most 100)"));
    granted(book.lease(tcp("lab", "t0", 80)));
    granted(book.lease(saying(tcp("shop", "t", 80), "x".repeat(9_000))));
    assertThat(book.lease(saying(tcp("shop", "u", 80), "x".repeat(1_001))))
        .isInstanceOf(OverQuota.class);
    book.release(new TunnelIdentity("shop", "t"));
    granted(book.lease(saying(tcp("shop", "u", 80), "x".repeat(9_000))));
    assertThat(book.lease(saying(tcp("shop", "u", 80), "x".repeat(Quota.MAX_CHARACTERS + 1))))
        .isInstanceOf(OverQuota.class);
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
    var small = book(new PortRange(10_001, 10_003));
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
    TunnelRecord first = tunnel(book.lease(tcp("lab", "redis", 6379)));
    assertThat(book.release(first.identity())).contains(first);
    assertThat(book.release(first.identity())).isEmpty();
    Lease second = granted(book.lease(tcp("shop", "redis", 6379)));
    assertThat(second.port()).isEqualTo(first.lease().port());
    assertThat(second.fencing()).isGreaterThan(first.lease().fencing());
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
    var old =
        new TunnelRecord(
            new TunnelIdentity("lab", "x"),
            Transport.TCP,
            new Lease(40_000, 1),
            Origin.REGISTRATION,
            "");
    var shrunken = book(new PortRange(10_000, 35_000), old);
    assertThat(shrunken.outOfRange()).containsExactly(old);
    assertThat(shrunken.tunnels()).extracting(TunnelRecord::lease).containsExactly((Lease) null);
    Lease fresh = granted(shrunken.lease(tcp("lab", "x", 80)));
    assertThat(fresh).isEqualTo(new Lease(10_080, 2));
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
    var tested = book(range);
    var model = new HashMap<Integer, TunnelIdentity>();
    var blocked = new HashSet<Integer>();
    long fencing = 0;
    for (int step = 0; step < 300; step++) {
      var identity = new TunnelIdentity("c" + random.nextInt(3), "t" + random.nextInt(15));
      int port = range.first() + random.nextInt(range.size());
      switch (random.nextInt(8)) {
        case 0 -> {
          tested.release(identity);
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
      assertThat(tested.tunnels()).hasSize(model.size());
    }
  }
}
