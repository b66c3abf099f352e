package dev.penstock.gateway.sources;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.access.Cidr;
import dev.penstock.gateway.sources.Bans.Ban;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BansTest {
  private static final long LATER = System.currentTimeMillis() + 600_000;

  private final Bans bans = new Bans();

  private static Ban ban(String source, long expiresAt) {
    return new Ban(Cidr.parse(source).orElseThrow(), "", "test", 0, expiresAt);
  }

  private boolean isBanned(String address) {
    return bans.contains(InetAddress.ofLiteral(address));
  }

  @ParameterizedTest
  @CsvSource({
    "192.0.2.7,      192.0.2.7,     true",
    "192.0.2.7,      192.0.2.8,     false",
    "192.0.2.0/24,   192.0.2.255,   true",
    "192.0.2.0/24,   192.0.3.0,     false",
    "192.0.2.7,      ::ffff:192.0.2.7, true",
    "2001:db8::/32,  2001:db8:1::5, true",
    "2001:db8::/32,  2001:db9::1,   false",
    "2001:db8::1,    192.0.2.7,     false",
  })
  void aBanIsOfItsAddressOrNetworkAndOfNoOther(String source, String address, boolean banned) {
    assertThat(isBanned(address)).isFalse();
    assertThat(bans.make(ban(source, LATER))).isTrue();
    assertThat(isBanned(address)).isEqualTo(banned);
  }

  @Test
  void aBanThatHasExpiredIsNone() {
    bans.make(ban("192.0.2.7", System.currentTimeMillis() - 1));
    assertThat(isBanned("192.0.2.7")).isFalse();
    assertThat(bans.all()).isEmpty();
  }

  @Test
  void aLiftedBanIsNoneAndLiftingAgainFindsNothing() {
    bans.make(ban("192.0.2.0/24", LATER));
    assertThat(bans.lift("192.0.2.0-24")).isPresent();
    assertThat(isBanned("192.0.2.7")).isFalse();
    assertThat(bans.lift("192.0.2.0-24")).isEmpty();
  }

  @Test
  void thereAreNoMoreThanMayBeAndOneInPlaceOfAnotherIsTaken() {
    for (int i = 0; i < Bans.MAX_NETWORKS; i++) {
      assertThat(bans.make(ban("10." + i + ".0.0/16", LATER))).isTrue();
    }
    assertThat(bans.make(ban("11.0.0.0/16", LATER))).isFalse();
    assertThat(bans.make(ban("10.1.0.0/16", LATER + 1))).isTrue();
    assertThat(bans.make(ban("11.0.0.1", LATER))).as("an address has room").isTrue();
    assertThat(isBanned("11.0.0.2")).isFalse();
  }

  @Test
  void whatOtherNodesTellReplacesWhatTheyToldBeforeAndNothingElse() {
    var enforced = new ArrayList<String>();
    bans.enforcedBy(ban -> enforced.add(ban.id()));
    bans.make(ban("192.0.2.1", LATER));
    bans.told(id -> id.startsWith("10."), List.of(ban("10.0.0.1", LATER), ban("10.0.0.2", LATER)));
    bans.told(id -> id.startsWith("10."), List.of(ban("10.0.0.2", LATER), ban("10.0.0.3", 5)));
    assertThat(bans.all().stream().map(Ban::id))
        .containsExactlyInAnyOrder("192.0.2.1-32", "10.0.0.2-32");
    assertThat(enforced).containsExactly("192.0.2.1-32", "10.0.0.1-32", "10.0.0.2-32");
  }
}
