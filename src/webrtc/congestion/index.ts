export { BandwidthEstimator, type EstimateCause } from "./estimator.ts";
