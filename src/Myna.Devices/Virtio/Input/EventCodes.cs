namespace Myna.Devices.Virtio.Input;

/// <summary>Events as Linux numbers them (linux/input-event-codes.h), which virtio-input uses.</summary>
internal static class EventCodes
{
    public const ushort EV_SYN = 0, EV_KEY = 1, EV_REL = 2, EV_ABS = 3, EV_LED = 0x11, EV_REP = 0x14;
    public const ushort REL_WHEEL = 8, ABS_X = 0, ABS_Y = 1, BTN_LEFT = 0x110, BTN_EXTRA = 0x114, LED_SCROLLL = 2;
    public const int LastKey = 127;

    /// <summary>The key code of a scan code of set 1; 0 for none. Those without prefix are the same up to 58h.</summary>
    public static ushort OfScanCode(int key) => key switch
    {
        > 0 and <= 0x58 => (ushort)key,
        0xe01c => 96, 0xe01d => 97, 0xe035 => 98, 0xe037 => 99, 0xe038 => 100, 0xe047 => 102, 0xe048 => 103, 0xe049 => 104, 0xe04b => 105, 0xe04d => 106,
        0xe04f => 107, 0xe050 => 108, 0xe051 => 109, 0xe052 => 110, 0xe053 => 111, 0xe046 => 119, 0xe05b => 125, 0xe05c => 126, 0xe05d => 127,
        _ => 0,
    };
}
