package com.cosslice;

import java.io.IOException;

/** A call of the library failed. Each kind of failure has a class of its own; the message is one sentence, never a secret. */
public class CossliceException extends IOException {
    private static final long serialVersionUID = 1;

    private final int status;
    private final long serverCode;
    private final String serverMessage;
    private final int httpStatus;
    private final String requestId;
    private final int osError;
    private final boolean retryable;
    private final String resumeToken;

    CossliceException(String message, Details details) {
        super(message);
        status = details.status;
        serverCode = details.serverCode;
        serverMessage = details.serverMessage;
        httpStatus = details.httpStatus;
        requestId = details.requestId;
        osError = details.osError;
        retryable = details.retryable;
        resumeToken = details.resumeToken;
    }

    /** The number of {@code enum cosslice_code}; see {@link Status}. */
    public int getStatus() {
        return status;
    }

    /** COS's code, such as -177; 0 when there was none. */
    public long getServerCode() {
        return serverCode;
    }

    /** COS's own words, or "". */
    public String getServerMessage() {
        return serverMessage;
    }

    /** HTTP status of the reply; 0 when there was none. */
    public int getHttpStatus() {
        return httpStatus;
    }

    /** The id to quote to Tencent's support, or "". */
    public String getRequestId() {
        return requestId;
    }

    /** errno of a local failure; 0 when there was none. */
    public int getOsError() {
        return osError;
    }

    /** Whether the same upload may well succeed when it is tried again later. */
    public boolean isRetryable() {
        return retryable;
    }

    /** What {@link Upload#Upload(Config, String, String)} takes to continue an upload that was fed; "" when there is none. */
    public String getResumeToken() {
        return resumeToken;
    }

    /** All that is known of a failure but its sentence. */
    static final class Details {
        final int status;
        long serverCode;
        String serverMessage = "";
        int httpStatus;
        String requestId = "";
        int osError;
        boolean retryable;
        String resumeToken = "";

        Details(int status) {
            this.status = status;
        }
    }

    static CossliceException of(String message, Details details) {
        switch (details.status) {
            case Status.E_INVALID_ARG:
                return new InvalidArgumentException(message, details);
            case Status.E_STATE:
                return new StateException(message, details);
            case Status.E_BUSY:
                return new BusyException(message, details);
            case Status.E_UNKNOWN_OPTION:
                return new UnknownOptionException(message, details);
            case Status.E_NOMEM:
                return new NoMemoryException(message, details);
            case Status.E_FILE:
                return new FileException(message, details);
            case Status.E_SOURCE_CHANGED:
                return new SourceChangedException(message, details);
            case Status.E_NETWORK:
                return new NetworkException(message, details);
            case Status.E_TLS:
                return new TlsException(message, details);
            case Status.E_TIMEOUT:
                return new TimedOutException(message, details);
            case Status.E_PROTOCOL:
                return new ProtocolException(message, details);
            case Status.E_SERVER:
                return new ServerException(message, details);
            case Status.E_AUTH:
                return new AuthException(message, details);
            case Status.E_EXISTS:
                return new ExistsException(message, details);
            case Status.E_CANCELED:
                return new CanceledException(message, details);
            case Status.E_FORKED:
                return new ForkedException(message, details);
            case Status.E_CONFLICT:
                return new ConflictException(message, details);
            case Status.E_INTEGRITY:
                return new IntegrityException(message, details);
            case Status.E_NOT_FOUND:
                return new NotFoundException(message, details);
            case Status.E_PANIC:
                return new PanicException(message, details);
            default:
                return new CossliceException(message, details);
        }
    }
}
