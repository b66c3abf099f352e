package dev.penstock.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.HostPort;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class FormationTest {
  private static final HostPort LOW = new HostPort("10.0.0.1", 7355);
  private static final HostPort MIDDLE = new HostPort("10.0.0.2", 7355);
  private static final HostPort HIGH = new HostPort("10.0.0.3", 7355);
  private static final Set<HostPort> ALL = Set.of(LOW, MIDDLE, HIGH);
  private static final long SECOND = Duration.ofSeconds(1).toNanos();

  private static Formation of(HostPort self) {
    return new Formation(self, 2, Duration.ofSeconds(3));
  }

  @Test
  void everyNodeAsksTheOthersAtOnce() {
    assertThat(of(HIGH).found(ALL, Set.of(), true, 0)).contains(List.of(LOW, MIDDLE));
    assertThat(of(LOW).found(ALL, ALL, true, 0)).contains(List.of(MIDDLE, HIGH));
  }

  @Test
  void whatIsKnownIsNotAskedAgain() {
    var formation = of(HIGH);
    formation.found(ALL, ALL, true, 0);
    assertThat(formation.found(ALL, ALL, true, 10 * SECOND)).isEmpty();
    assertThat(formation.found(Set.of(HIGH, LOW), ALL, true, 11 * SECOND)).contains(List.of(LOW));
  }

  @Test
  void theLowestFormsAClusterWhenAllHaveBeenThereForAWhile() {
    var formation = of(LOW);
    formation.found(ALL, ALL, true, 0);
    assertThat(formation.found(ALL, ALL, true, 2 * SECOND)).isEmpty();
    assertThat(formation.found(ALL, ALL, true, 3 * SECOND)).contains(List.of(LOW, MIDDLE, HIGH));
  }

  @Test
  void nobodyElseFormsOne() {
    var formation = of(MIDDLE);
    formation.found(ALL, ALL, true, 0);
    assertThat(formation.found(ALL, ALL, true, 100 * SECOND)).isEmpty();
  }

  @Test
  void aNodeThatDoesNotAcceptConnectionsMayBeInAClusterAlready() {
    var formation = of(LOW);
    formation.found(ALL, ALL, true, 0);
    assertThat(formation.found(ALL, Set.of(MIDDLE), true, 100 * SECOND)).isEmpty();
    assertThat(formation.found(ALL, ALL, true, 101 * SECOND)).isPresent();
  }

  @Test
  void aChangeOfTheNodesBeginsTheWhileAnew() {
    var formation = of(LOW);
    formation.found(Set.of(LOW, MIDDLE), ALL, true, 0);
    formation.found(ALL, ALL, true, 2 * SECOND);
    assertThat(formation.found(ALL, ALL, true, 4 * SECOND)).isEmpty();
    assertThat(formation.found(ALL, ALL, true, 5 * SECOND)).isPresent();
  }

  @Test
  void tooFewNodesFormNone() {
    var formation = of(LOW);
    formation.found(Set.of(LOW), Set.of(), true, 0);
    assertThat(formation.found(Set.of(LOW), Set.of(), true, 100 * SECOND)).isEmpty();
    var alone = new Formation(LOW, 1, Duration.ZERO);
    assertThat(alone.found(Set.of(), Set.of(), true, 0)).contains(List.of(LOW));
  }

  @Test
  void nobodyFormsOneWhileTheDatabaseSaysThatANodeLives() {
    var formation = of(LOW);
    formation.found(ALL, ALL, false, 0);
    assertThat(formation.found(ALL, ALL, false, 100 * SECOND)).isEmpty();
    assertThat(formation.found(ALL, ALL, true, 101 * SECOND)).contains(List.of(LOW, MIDDLE, HIGH));
    assertThat(formation.found(ALL, ALL, false, 102 * SECOND)).contains(List.of(MIDDLE, HIGH));
  }
}
