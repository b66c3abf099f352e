package dev.penstock.protocol.link;

/// What a link measured since the sample before, about once a second.
///
/// @param rttNanos the round-trip time of the last ping that was answered, 0 when none was since
/// @param windowsGrown receive windows that were enlarged
/// @param windowsDenied enlargements that the byte budget forbade
/// @param strayFrames frames for streams that do not exist: late ones are normal, a flood is not
/// @param streamsRefused streams of the peer that were reset because a bound was reached
/// @param canaries canary streams that the peer answered
public record LinkSample(
    long rttNanos,
    long windowsGrown,
    long windowsDenied,
    long strayFrames,
    long streamsRefused,
    long canaries) {}
