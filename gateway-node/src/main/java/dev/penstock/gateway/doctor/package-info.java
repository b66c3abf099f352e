/// `penstock doctor` from the gateway's side.
@NullMarked
package dev.penstock.gateway.doctor;

import org.jspecify.annotations.NullMarked;
