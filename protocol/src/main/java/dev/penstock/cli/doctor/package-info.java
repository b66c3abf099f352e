/// What `penstock doctor` finds out: observations of a network, made by [Probe], and the findings
/// that follow from them, which [Judge] decides without any network or clock.
@NullMarked
package dev.penstock.cli.doctor;

import org.jspecify.annotations.NullMarked;
