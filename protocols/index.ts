export { ERRORS, type ErrorBody, type ErrorCode, type ErrorInfo, errorInfo, isErrorCode } from "./errors.ts";
