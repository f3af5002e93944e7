namespace Myna.Control.Rfb;

/// <summary>Encodings and pseudo-encodings (RFC 6143, section 7.7, and the community's "The RFB Protocol").</summary>
internal static class RfbEncoding
{
    public const int Raw = 0, CopyRect = 1, Tight = 7, Zrle = 16, DesktopSize = -223, LastRect = -224, Cursor = -239, PointerMotionChange = -257, ExtendedKeyEvent = -258,
        LedState = -261, DesktopName = -307, ExtendedDesktopSize = -308;
}

/// <summary>Messages from the client (RFC 6143, section 7.5).</summary>
internal static class RfbClientMessage
{
    public const byte SetPixelFormat = 0, SetEncodings = 2, FramebufferUpdateRequest = 3, KeyEvent = 4, PointerEvent = 5, ClientCutText = 6, SetDesktopSize = 251, Qemu = 255;
    public const byte QemuExtendedKeyEvent = 0;
}

/// <summary>Messages to the client (RFC 6143, section 7.6).</summary>
internal static class RfbServerMessage
{
    public const byte FramebufferUpdate = 0, SetColourMapEntries = 1, Bell = 2, ServerCutText = 3;
}

/// <summary>The connection's other end broke the protocol.</summary>
internal sealed class RfbException(string message) : Exception(message);
