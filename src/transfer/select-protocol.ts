export {
  SMALL_CONTENT_BYTES,
  selectProtocol,
  type TransferProtocol,
} from "@cidcast/protocols/select-protocol";
