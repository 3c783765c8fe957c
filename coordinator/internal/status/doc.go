// Package status says what the verdicts of a service come to: in one region, from
// those of its checks and address families, and over all regions by their weights.
// It is pure.
//
// In a region, of what is known there:
//
//	nothing is wrong                                          operational
//	something is slow or intermittent, nothing is down        degraded_performance
//	checks are down, and in each family a shallower one works degraded_performance
//	some of its checks or one of its address families is down partial_outage
//	all that is known is down                                 major_outage
//
// Of a service, with w the weights of all regions that check it:
//
//	major_outage where at least 2/3 of w has      major_outage
//	any region has a major_outage or partial one  partial_outage
//	any region is degraded                        degraded_performance
//	any region is under maintenance               under_maintenance
//	otherwise                                     operational
//
// So a region is never outvoted: what is out for a few is a partial outage however
// many are well. A region of which nothing is known counts by its last known
// status, and says since when it is not known.
//
// The words are those of Atlassian Statuspage (components[].status).
package status
