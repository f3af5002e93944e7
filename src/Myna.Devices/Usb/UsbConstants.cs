namespace Myna.Devices.Usb;

/// <summary>Speeds, numbered as xHCI's default speed IDs (xHCI 1.2, section 7.2.2.1.1).</summary>
public enum UsbSpeed : byte
{
    Full = 1,
    Low = 2,
    High = 3,
    Super = 4,
}

/// <summary>How a device answers a transfer.</summary>
internal enum UsbStatus : byte
{
    /// <summary>Done, perhaps with fewer bytes than there was room for.</summary>
    Ok,

    /// <summary>Not now: nothing has happened, the device says when to try again.</summary>
    Nak,

    /// <summary>Under way: <see cref="IUsbHost.Completed"/> ends it.</summary>
    Pending,
    Stall,

    /// <summary>There is more than the host has room for.</summary>
    Babble,

    /// <summary>Nobody answers.</summary>
    Error,
}

/// <summary>Standard requests, descriptor types and features (USB 2.0, section 9.4; USB 3.2, section 9.4).</summary>
internal static class UsbRequest
{
    public const byte GET_STATUS = 0, CLEAR_FEATURE = 1, SET_FEATURE = 3, SET_ADDRESS = 5, GET_DESCRIPTOR = 6, GET_CONFIGURATION = 8, SET_CONFIGURATION = 9,
        GET_INTERFACE = 10, SET_INTERFACE = 11, SET_SEL = 48, SET_ISOCH_DELAY = 49;

    public const byte DEVICE = 1, CONFIGURATION = 2, STRING = 3, INTERFACE = 4, ENDPOINT = 5, DEVICE_QUALIFIER = 6, BOS = 15, DEVICE_CAPABILITY = 16,
        ENDPOINT_COMPANION = 48;

    public const int ENDPOINT_HALT = 0, FUNCTION_SUSPEND = 0, DEVICE_REMOTE_WAKEUP = 1, U1_ENABLE = 48, LTM_ENABLE = 50;

    // bmRequestType: direction, type, recipient.
    public const byte DirectionIn = 0x80, TypeMask = 0x60, Standard = 0x00, Class = 0x20, RecipientMask = 0x1f, Device = 0, Interface = 1, Endpoint = 2, Other = 3;
}

/// <summary>The eight bytes of a setup packet (USB 2.0, section 9.3).</summary>
internal struct UsbSetup
{
    public byte RequestType, Request;
    public ushort Value, Index, Length;

    public static UsbSetup Of(ulong bytes) => new()
    {
        RequestType = (byte)bytes, Request = (byte)(bytes >> 8), Value = (ushort)(bytes >> 16), Index = (ushort)(bytes >> 32), Length = (ushort)(bytes >> 48),
    };

    public readonly bool IsIn => (RequestType & UsbRequest.DirectionIn) != 0;
    public readonly int Type => RequestType & UsbRequest.TypeMask;
    public readonly int Recipient => RequestType & UsbRequest.RecipientMask;
}
