package dev.penstock.cli.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.cli.doctor.Seen.Http;
import io.netty.pkitesting.CertificateBuilder;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JudgeTest {
  private static final Instant NOW = Instant.parse("2026-11-22T10:00:00Z");
  private static final String URL = "http://gateway.example.com";

  private static Http answer(int status, String type, String body) {
    return new Http(
        Http.Outcome.ANSWERED, status, Map.of("content-type", type, "server", "nginx"), body, "");
  }

  private static Http problem(int status) {
    return answer(status, "application/problem+json", "{\"detail\":\"x\"}");
  }

  private static Finding upgrade(Http seen, Http plain) {
    return Judge.upgrade("upgrade", URL, seen, Optional.of(plain), Optional.empty());
  }

  @ParameterizedTest
  @CsvSource({
    "401, 401, wrong-token",
    "403, 403, wrong-token",
    "503, 403, gateway-busy",
    "404, 403, upgrade-broken",
    "404, 404, another-server",
    "400, 403, upgrade-broken"
  })
  void anAnswerOfPenstockIsReadByItsStatus(int status, int plain, String symptom) {
    Finding finding = upgrade(problem(status), problem(plain));
    assertThat(finding.symptom()).isNotNull();
    assertThat(finding.symptom().label()).isEqualTo(symptom);
  }

  @ParameterizedTest
  @CsvSource({"200", "301", "401", "403", "426", "502", "504"})
  void anAnswerOfSomebodyElseIsAProxysWhenAGatewayIsBehindIt(int status) {
    Http html = answer(status, "text/html", "<html>");
    assertThat(upgrade(html, problem(403)).symptom()).isEqualTo(Symptom.UPGRADE_BROKEN);
    assertThat(upgrade(html, html).symptom()).isEqualTo(Symptom.ANOTHER_SERVER);
    assertThat(upgrade(html, problem(403)).found()).contains("nginx");
  }

  @Test
  void whatStrangersSayIsShortAndPlain() {
    Http loud =
        new Http(
            Http.Outcome.ANSWERED, 200, Map.of("server", "\u001b[2J" + "x".repeat(10_000)), "", "");
    assertThat(upgrade(loud, loud).found()).doesNotContain("\u001b").hasSizeLessThan(300);
  }

  @ParameterizedTest
  @CsvSource({
    "0, OK",
    "-30, OK",
    "30, OK",
    "31, WARNING",
    "-300, WARNING",
    "301, FAULT",
    "-3600, FAULT"
  })
  void clocksMayDifferALittle(long seconds, Verdict verdict) {
    assertThat(Judge.clock("the gateway", NOW.plusSeconds(seconds), NOW).verdict())
        .isEqualTo(verdict);
  }

  @Test
  void whichClockIsAheadIsTold() {
    assertThat(Judge.clock("the gateway", NOW.minusSeconds(3600), NOW).found())
        .isEqualTo("this machine is 3600 s ahead of the gateway");
  }

  @ParameterizedTest
  @CsvSource(
      nullValues = "-",
      value = {
        "'', 1073741824, -",
        "'', 104857600, DISK_FULL",
        "'', 0, DISK_FULL",
        "no space, 0, DISK_FULL",
        "denied, 1073741824, DIRECTORY_NOT_WRITABLE"
      })
  void aFullDiskIsNotADirectoryThatCannotBeWritten(String problem, long free, Symptom symptom) {
    assertThat(Judge.directory("/data", problem, free).symptom()).isEqualTo(symptom);
  }

  private static X509Certificate certificate(Duration left) throws Exception {
    return new CertificateBuilder()
        .subject("CN=x")
        .setIsCertificateAuthority(true)
        .ecp256()
        .notBefore(NOW.minus(Duration.ofDays(90)))
        .notAfter(NOW.plus(left))
        .buildSelfSigned()
        .getCertificate();
  }

  @Test
  void aCertificateIsToBeRenewedInTime() throws Exception {
    assertThat(Judge.dates("tls", URL, List.of(certificate(Duration.ofDays(15))), NOW)).isEmpty();
    assertThat(Judge.dates("tls", URL, List.of(certificate(Duration.ofDays(13))), NOW))
        .hasValueSatisfying(it -> assertThat(it.verdict()).isEqualTo(Verdict.WARNING));
    assertThat(Judge.dates("tls", URL, List.of(certificate(Duration.ofDays(-1))), NOW))
        .hasValueSatisfying(it -> assertThat(it.verdict()).isEqualTo(Verdict.FAULT));
    Instant tooEarly = NOW.minus(Duration.ofDays(91));
    assertThat(Judge.dates("tls", URL, List.of(certificate(Duration.ofDays(15))), tooEarly))
        .hasValueSatisfying(it -> assertThat(it.symptom()).isEqualTo(Symptom.CERTIFICATE_EXPIRED));
  }

  @ParameterizedTest
  @CsvSource({
    "gateway.example.com, GATEWAY.example.com, true",
    "gateway.example.com, example.com, false",
    "gateway.example.com, gateway.example.com.evil.org, false",
    "*.wild.example.com, a.wild.example.com, true",
    "*.wild.example.com, b.a.wild.example.com, false",
    "*.wild.example.com, wild.example.com, false",
    "*.wild.example.com, .wild.example.com, false",
    "192.0.2.7, 192.0.2.7, true",
    "192.0.2.7, 192.0.2.70, false"
  })
  void aNameOfACertificateCoversOneLabelMore(String name, String host, boolean covered) {
    assertThat(Judge.covers(name, host)).isEqualTo(covered);
  }
}
