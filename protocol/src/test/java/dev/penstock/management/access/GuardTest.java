package dev.penstock.management.access;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.HostPort;
import dev.penstock.config.Secret;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GuardTest {
  private static final HostPort HERE = new HostPort("127.0.0.1", 9090);
  private static final Guard OPEN = new Guard(ManagementSettings.open(HERE));
  private static final Guard TOKENS =
      new Guard(
          new ManagementSettings(
              HERE,
              null,
              List.of(
                  new ManagementSettings.Token("ann", Secret.of("reads"), Role.READ),
                  new ManagementSettings.Token("bob", Secret.of("acts"), Role.OPERATE)),
              null));
  private static final Guard CERTIFICATES =
      new Guard(
          new ManagementSettings(
              HERE,
              null,
              List.of(new ManagementSettings.Token("bob", Secret.of("acts"), Role.OPERATE)),
              new ManagementSettings.Tls(Path.of("c"), Path.of("k"), Path.of("ca"), Role.READ)));

  private static String decide(
      Guard guard,
      Guard.Effect effect,
      String host,
      @Nullable String authorization,
      @Nullable String marked,
      @Nullable String origin,
      @Nullable String site,
      @Nullable String certificate) {
    return switch (guard.decide(
        new Guard.Asked(
            effect, "http", host, authorization, marked != null, origin, site, certificate))) {
      case Guard.Decision.Admitted(var caller) -> caller.name() + " " + caller.role();
      case Guard.Decision.Refused(int status, _) -> Integer.toString(status);
    };
  }

  @ParameterizedTest
  @CsvSource({
    // effect, authorization, expected
    "NONE,   ,               401",
    "NONE,   Bearer reads,   ann READ",
    "NONE,   bearer  reads,  ann READ",
    "NONE,   Bearer acts,    bob OPERATE",
    "NONE,   Bearer wrong,   401",
    "NONE,   Basic reads,    401",
    "NONE,   Bearer,         401",
    "NONE,   Bearer reads x, 401",
    "CHANGE, ,               401",
    "CHANGE, Bearer reads,   403",
    "CHANGE, Bearer acts,    bob OPERATE",
    "CHANGE, Bearer actsx,   401",
  })
  void tokensDecideWhoMayDoWhat(Guard.Effect effect, @Nullable String token, String expected) {
    assertThat(decide(TOKENS, effect, "gw.example", token, null, null, null, null))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    // certificate, authorization, effect, marked, expected
    ",       ,             NONE,   ,  401",
    "laptop, ,             NONE,   ,  laptop READ",
    "laptop, ,             CHANGE, x, 403",
    "laptop, Bearer acts,  CHANGE, ,  bob OPERATE",
    "laptop, Bearer wrong, NONE,   ,  401",
  })
  void aCertificateIsOfTheRoleThatIsSetUnlessATokenSaysMore(
      @Nullable String certificate,
      @Nullable String token,
      Guard.Effect effect,
      @Nullable String marked,
      String expected) {
    assertThat(decide(CERTIFICATES, effect, "gw.example", token, marked, null, null, certificate))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    // authorization, marked, origin, site, expected: what a browser can be made to send
    ",            ,  ,                        ,             403",
    ",            x, ,                        ,             anonymous OPERATE",
    ",            x, http://localhost:9090,   same-origin,  anonymous OPERATE",
    ",            ,  http://localhost:9090,   same-origin,  403",
    ",            x, https://localhost:9090,  ,             403",
    ",            x, http://localhost:9091,   same-site,    403",
    ",            x, http://evil.example,     cross-site,   403",
    ",            x, null,                    ,             403",
    ",            x, ,                        cross-site,   403",
    ",            x, ,                        none,         anonymous OPERATE",
    "Bearer any,  ,  ,                        ,             anonymous OPERATE",
    "Bearer any,  ,  http://evil.example,     ,             403",
  })
  void noPageOfAnotherOriginChangesAnything(
      @Nullable String authorization,
      @Nullable String marked,
      @Nullable String origin,
      @Nullable String site,
      String expected) {
    assertThat(
            decide(
                OPEN,
                Guard.Effect.CHANGE,
                "localhost:9090",
                authorization,
                marked,
                origin,
                site,
                null))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "localhost,        anonymous OPERATE",
    "LOCALHOST:9090,   anonymous OPERATE",
    "127.0.0.1:9090,   anonymous OPERATE",
    "10.1.2.3,         anonymous OPERATE",
    "[::1]:9090,       anonymous OPERATE",
    "evil.example,     403",
    "localhost.evil.example:9090, 403",
    "127.0.0.1.evil.example, 403",
    "'',               403",
    "a b,              403",
    "[::1,             403",
    "2130706433,       anonymous OPERATE",
  })
  void withoutTokensAHostThatIsANameIsRefusedBecauseItMayLeadAnywhere(
      String host, String expected) {
    assertThat(decide(OPEN, Guard.Effect.NONE, host, null, null, null, null, null))
        .isEqualTo(expected);
  }

  @Test
  void aRefusalIsOneLineHoweverWildTheHeaderWas() {
    var refused =
        (Guard.Decision.Refused)
            OPEN.decide(
                new Guard.Asked(
                    Guard.Effect.CHANGE,
                    "http",
                    "localhost",
                    null,
                    true,
                    "x\r\n" + "y".repeat(5000),
                    null,
                    null));
    assertThat(refused.detail()).hasSizeLessThan(200).doesNotContain("\n", "\r");
  }
}
