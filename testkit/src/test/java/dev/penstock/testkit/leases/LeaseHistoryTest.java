package dev.penstock.testkit.leases;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.testkit.leases.LeaseHistory.Lease;
import dev.penstock.testkit.leases.LeaseHistory.Tunnel;
import org.junit.jupiter.api.Test;

class LeaseHistoryTest {
  private static final Tunnel REDIS = new Tunnel("lab", "redis");
  private static final Tunnel CACHE = new Tunnel("shop", "cache");

  private final LeaseHistory history = new LeaseHistory();

  private static Lease lease(int port, long fencing) {
    return new Lease("tcp", port, fencing);
  }

  private void endsAsItIs(Tunnel tunnel, Lease lease) {
    history.atTheEnd(tunnel, lease);
  }

  @Test
  void aHistoryInWhichPortsGoFromOneToTheOtherAfterAReleaseIsFine() {
    history.granted(REDIS, lease(16_379, 1), 1, 2);
    history.granted(REDIS, lease(16_379, 1), 3, 4);
    history.released(REDIS, 5, 6);
    history.granted(CACHE, lease(16_379, 2), 7, 8);
    history.seen(REDIS, lease(16_379, 1));
    endsAsItIs(CACHE, lease(16_379, 2));
    assertThat(history.violations()).isEmpty();
    assertThat(history.size()).isEqualTo(4);
  }

  @Test
  void twoOwnersAtOneFencingNumberAreFound() {
    history.granted(REDIS, lease(16_379, 1), 1, 2);
    history.seen(CACHE, lease(16_379, 1));
    endsAsItIs(REDIS, lease(16_379, 1));
    assertThat(history.violations())
        .singleElement()
        .asString()
        .startsWith("tcp 16379 at fencing number 1: two owners");
  }

  @Test
  void twoOwnersAtTheEndAreFound() {
    endsAsItIs(REDIS, lease(16_379, 1));
    endsAsItIs(CACHE, lease(16_379, 2));
    assertThat(history.violations())
        .singleElement()
        .asString()
        .startsWith("tcp 16379: two owners at the end");
  }

  @Test
  void aPortThatIsGivenAwayUnderItsOwnerIsFound() {
    history.granted(REDIS, lease(16_379, 1), 1, 2);
    history.granted(CACHE, lease(16_379, 2), 3, 4);
    history.released(REDIS, 5, 6);
    endsAsItIs(CACHE, lease(16_379, 2));
    assertThat(history.violations())
        .containsExactly("tcp 16379: given to " + CACHE + " while " + REDIS + " had it");
  }

  @Test
  void aReleaseThatMayHaveComeInBetweenExcusesIt() {
    history.granted(REDIS, lease(16_379, 1), 1, 2);
    history.releaseUnknown(REDIS, 3);
    history.granted(CACHE, lease(16_379, 2), 50, 60);
    endsAsItIs(CACHE, lease(16_379, 2));
    assertThat(history.violations()).isEmpty();
  }

  @Test
  void aReleaseThatWasOverBeforeTheGrantBeganExcusesNothing() {
    history.released(REDIS, 1, 2);
    history.granted(REDIS, lease(16_379, 1), 3, 4);
    history.granted(CACHE, lease(16_379, 2), 5, 6);
    endsAsItIs(REDIS, lease(16_379, 1));
    assertThat(history.violations())
        .contains("tcp 16379: given to " + CACHE + " while " + REDIS + " had it");
  }

  @Test
  void aFencingNumberThatDoesNotRiseIsFound() {
    history.granted(REDIS, lease(16_379, 5), 1, 2);
    history.released(REDIS, 3, 4);
    history.granted(CACHE, lease(16_379, 4), 5, 6);
    endsAsItIs(CACHE, lease(16_379, 4));
    assertThat(history.violations())
        .containsExactly("tcp 16379: fencing number 4 of " + CACHE + " after 5 of " + REDIS);
  }

  @Test
  void aLeaseThatIsAcknowledgedAndNotThereAtTheEndIsLost() {
    history.granted(REDIS, lease(16_379, 1), 1, 2);
    assertThat(history.violations())
        .singleElement()
        .asString()
        .endsWith("was acknowledged and is lost");
  }

  @Test
  void aLeaseThatIsAnotherAtTheEndIsFound() {
    history.granted(REDIS, lease(16_379, 1), 1, 2);
    endsAsItIs(REDIS, lease(16_380, 2));
    assertThat(history.violations()).singleElement().asString().contains("16380");
  }

  @Test
  void aTunnelWhosePortChangesWithoutAReleaseIsFound() {
    history.granted(REDIS, lease(16_379, 1), 1, 2);
    history.granted(REDIS, lease(16_380, 2), 3, 4);
    endsAsItIs(REDIS, lease(16_380, 2));
    assertThat(history.violations()).anyMatch(it -> it.endsWith("without a release"));
  }

  @Test
  void ofTwoCallsAtTheSameTimeEitherMayHaveTakenEffectFirst() {
    history.granted(REDIS, lease(16_379, 2), 1, 100);
    history.granted(REDIS, lease(16_379, 1), 10, 20);
    history.released(REDIS, 30, 40);
    endsAsItIs(REDIS, lease(16_379, 2));

    assertThat(history.violations()).isEmpty();
  }

  @Test
  void twoLeasesAtTheSameTimeWithoutAReleaseAreFound() {
    history.granted(REDIS, lease(16_379, 2), 1, 100);
    history.granted(REDIS, lease(16_379, 1), 10, 20);
    history.released(REDIS, 101, 102);

    assertThat(history.violations()).hasSize(1);
  }

  @Test
  void aReleaseWhoseOutcomeNobodyKnowsMayTakeEffectAtAnyTime() {
    history.releaseUnknown(REDIS, 1);
    history.granted(REDIS, lease(16_379, 1), 2, 3);
    assertThat(history.violations()).isEmpty();
  }

  @Test
  void aFencingNumberThatNobodyToldIsNoViolation() {
    history.granted(REDIS, lease(16_379, 0), 1, 2);
    history.granted(REDIS, lease(16_379, 0), 3, 4);
    endsAsItIs(REDIS, lease(16_379, 7));
    assertThat(history.violations()).isEmpty();
  }

  @Test
  void nothingCountsAsLostAsLongAsCallsGoOn() {
    history.granted(REDIS, lease(16_379, 1), 1, 2);
    endsAsItIs(REDIS, lease(16_379, 1));
    history.goesOn();
    assertThat(history.violations()).isEmpty();
    history.ends();
    assertThat(history.violations()).singleElement().asString().endsWith("is lost");
    endsAsItIs(REDIS, lease(16_379, 1));
    assertThat(history.violations()).isEmpty();
  }

  @Test
  void aViolationIsExplainedByAllThatIsKnownOfTheTunnelsAndTheirPorts() {
    history.granted(REDIS, lease(16_379, 1), 1_000_000, 2_000_000);
    history.releaseUnknown(REDIS, 3_000_000);
    history.granted(CACHE, lease(16_379, 1), 5_000_000, 7_000_000);
    history.seen(CACHE, lease(16_379, 1));
    history.granted(new Tunnel("lab", "other"), lease(16_380, 2), 1, 2);
    assertThat(history.explained(1_000_000))
        .filteredOn(it -> it.contains("two owners"))
        .singleElement()
        .asString()
        .contains("0..1 ms " + REDIS + " was given", "2..? ms " + REDIS)
        .contains("4..6 ms " + CACHE + " was given", "seen: " + CACHE)
        .doesNotContain("16380");
  }
}
