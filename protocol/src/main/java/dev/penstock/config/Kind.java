package dev.penstock.config;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.regex.Pattern;

/// What a key's text may be: how it is parsed, which bounds it has and how both are told to the
/// operator. Immutable.
public final class Kind<T> {
  private final String expected;
  private final T standIn;
  private final Parser<T> parser;
  private final Function<T, String> writer;

  private Kind(String expected, T standIn, Parser<T> parser) {
    this(expected, standIn, parser, String::valueOf);
  }

  private Kind(String expected, T standIn, Parser<T> parser, Function<T, String> writer) {
    this.expected = expected;
    this.standIn = standIn;
    this.parser = parser;
    this.writer = writer;
  }

  /// Turns a text into a value; `base` is the directory that relative paths start from.
  interface Parser<T> {
    T parse(String text, Path base) throws Unacceptable;
  }

  /// A whole number, both bounds included.
  public static Kind<Integer> integer(int min, int max) {
    return of(
        min + " to " + max,
        min,
        text ->
            text.matches("-?[0-9]{1,10}")
                ? Optional.of(Long.parseLong(text))
                    .filter(number -> min <= number && number <= max)
                    .map(Long::intValue)
                : Optional.empty());
  }

  /// A port from 1 to 65535.
  public static Kind<Integer> port() {
    return integer(1, 65_535);
  }

  /// Ports such as `10000-35000`, both included.
  public static Kind<PortRange> portRange() {
    return of("a range such as 10000-35000", new PortRange(1, 1), PortRange::parse);
  }

  /// `host:port` to listen on; port 0 lets the system choose.
  public static Kind<HostPort> listenAddress() {
    return of("host:port such as 127.0.0.1:8080", new HostPort("127.0.0.1", 0), HostPort::parse);
  }

  /// `host:port` to connect to.
  public static Kind<HostPort> targetAddress() {
    return of(
        "host:port such as 127.0.0.1:6379",
        new HostPort("127.0.0.1", 1),
        text -> HostPort.parse(text).filter(address -> address.port() > 0));
  }

  /// A host name or IP address without a port.
  public static Kind<String> host() {
    return of(
        "a host name or IP address, without a port",
        "127.0.0.1",
        text -> Optional.of(text).filter(HostPort::isHost));
  }

  /// Numbers with `h`, `m`, `s` or `ms` behind them, such as `1h30m`; both bounds included.
  public static Kind<Duration> duration(Duration min, Duration max) {
    return of(
            "a duration from " + Units.show(min) + " to " + Units.show(max) + ", such as 30s",
            min,
            text ->
                Units.duration(text)
                    .filter(value -> value.compareTo(min) >= 0 && value.compareTo(max) <= 0))
        .shownBy(Units::show);
  }

  /// As [#duration], and `0s`, which stands for never.
  public static Kind<Duration> durationOrNever(Duration min, Duration max) {
    return of(
            "a duration from "
                + Units.show(min)
                + " to "
                + Units.show(max)
                + ", such as 30s, or 0s for never",
            Duration.ZERO,
            text ->
                Units.duration(text)
                    .filter(value ->
                        value.isZero() || (value.compareTo(min) >= 0 && value.compareTo(max) <= 0)))
        .shownBy(Units::show);
  }

  /// A number of bytes with `KiB`, `MiB`, `GiB` or nothing behind it; both bounds included.
  public static Kind<Long> bytes(long min, long max) {
    return of(
            "a size from " + Units.show(min) + " to " + Units.show(max) + ", such as 256KiB",
            min,
            text -> Units.bytes(text).filter(value -> min <= value && value <= max))
        .shownBy(Units::show);
  }

  /// As [#bytes(long, long)], for sizes that fit an `int`.
  public static Kind<Integer> size(int min, int max) {
    Kind<Long> bytes = bytes(min, max);
    return new Kind<>(
        bytes.expected,
        min,
        (text, base) -> Math.toIntExact(bytes.parser.parse(text, base)),
        Units::show);
  }

  /// `true` or `false`.
  public static Kind<Boolean> flag() {
    return of(
        "true or false",
        false,
        text ->
            switch (text) {
              case "true" -> Optional.of(true);
              case "false" -> Optional.of(false);
              default -> Optional.empty();
            });
  }

  /// One of the constants, written in lower case.
  public static <E extends Enum<E>> Kind<E> oneOf(Class<E> type) {
    SequencedMap<String, E> words = new LinkedHashMap<>();
    for (E constant : type.getEnumConstants()) {
      words.put(word(constant), constant);
    }
    return of(
            String.join(" or ", words.sequencedKeySet()),
            words.firstEntry().getValue(),
            text -> Optional.ofNullable(words.get(text)))
        .shownBy(Kind::word);
  }

  /// One of the values, written as `label` says.
  public static <E> Kind<E> oneOfLabels(List<E> values, Function<E, String> label) {
    SequencedMap<String, E> words = new LinkedHashMap<>();
    values.forEach(value -> words.put(label.apply(value), value));
    return of(
            String.join(" or ", words.sequencedKeySet()),
            values.getFirst(),
            text -> Optional.ofNullable(words.get(text)))
        .shownBy(label);
  }

  /// A text that matches the pattern as a whole; `expected` says in words what matches, `sample`
  /// does.
  public static Kind<String> text(Pattern pattern, String expected, String sample) {
    return of(
        expected, sample, text -> Optional.of(text).filter(it -> pattern.matcher(it).matches()));
  }

  /// An absolute URL of one of the schemes, with a host, without user information and fragment.
  public static Kind<URI> url(List<String> schemes) {
    String scheme = schemes.getFirst();
    return new Kind<>(
        "a URL such as " + scheme + "://gateway.example.com",
        URI.create(scheme + "://localhost"),
        (text, _) -> {
          try {
            URI uri = new URI(text);
            if (uri.getScheme() == null || uri.getHost() == null || uri.getPort() > 65_535) {
              throw new Unacceptable();
            }
            if (!schemes.contains(uri.getScheme())) {
              throw new Unacceptable("whose scheme is none of " + String.join(", ", schemes));
            }
            if (uri.getUserInfo() != null || uri.getFragment() != null) {
              throw new Unacceptable("which has a user or a fragment in it");
            }
            return uri;
          } catch (URISyntaxException _) {
            throw new Unacceptable();
          }
        });
  }

  /// A path; a relative one starts from the directory of the file that it is written in. Nothing is
  /// touched.
  public static Kind<Path> path() {
    return new Kind<>("a path", Path.of("."), Kind::resolve);
  }

  /// The path of a readable PEM file with at least one X.509 certificate.
  public static Kind<Path> certificates() {
    return pemFile("a readable PEM file with X.509 certificates", Pem::checkCertificates);
  }

  /// The path of a readable PEM file with an unencrypted PKCS #8 private key.
  public static Kind<Path> privateKey() {
    return pemFile(
        "a readable PEM file with an unencrypted PKCS #8 key, as from openssl pkcs8 -topk8 -nocrypt",
        Pem::checkPrivateKey);
  }

  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  private Kind<T> shownBy(Function<T, String> words) {
    return new Kind<>(expected, standIn, parser, words);
  }

  /// In words, for `(expected: …)`.
  String expected() {
    return expected;
  }

  /// Any value of this kind; what a reader goes on with after a problem, to find the next one.
  T standIn() {
    return standIn;
  }

  T parse(String text, Path base) throws Unacceptable {
    return parser.parse(text, base);
  }

  /// The value as a text that [#parse] takes.
  String show(T value) {
    return writer.apply(value);
  }

  /// Any other text that stands for a value; `expected` says in words which do, `standIn` is one of
  /// the values.
  public static <T> Kind<T> of(String expected, T standIn, Function<String, Optional<T>> parse) {
    return new Kind<>(
        expected, standIn, (text, _) -> parse.apply(text).orElseThrow(Unacceptable::new));
  }

  private interface PemCheck {
    void check(byte[] content) throws Unacceptable;
  }

  private static Kind<Path> pemFile(String expected, PemCheck check) {
    return new Kind<>(
        expected,
        Path.of("."),
        (text, base) -> {
          Path path = resolve(text, base);
          try {
            check.check(SmallFile.read(path));
          } catch (IOException e) {
            throw new Unacceptable(SmallFile.reason(e));
          }
          return path;
        });
  }

  private static Path resolve(String text, Path base) throws Unacceptable {
    if (text.isBlank()) {
      throw new Unacceptable();
    }
    try {
      return base.resolve(text).normalize();
    } catch (InvalidPathException e) {
      throw new Unacceptable("which is no path here: " + e.getReason());
    }
  }
}
