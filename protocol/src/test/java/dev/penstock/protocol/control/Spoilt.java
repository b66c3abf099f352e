package dev.penstock.protocol.control;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.random.RandomGenerator;

/// JSON with a few of its bytes replaced by others that mean something, or by any.
final class Spoilt {
  private static final String WITH_MEANING = "{}[]\",:0-e";

  private Spoilt() {}

  static byte[] json(String text, RandomGenerator random) {
    byte[] body = text.getBytes(UTF_8);
    for (int edits = random.nextInt(1, 6); edits > 0; edits--) {
      body[random.nextInt(body.length)] =
          (byte)
              (random.nextBoolean()
                  ? random.nextInt()
                  : WITH_MEANING.charAt(random.nextInt(WITH_MEANING.length())));
    }
    return body;
  }
}
