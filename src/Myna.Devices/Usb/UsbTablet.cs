using System.Buffers.Binary;
using Myna.Hardware.Screens;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Usb;

/// <summary>A pointing device that says where it is: a mouse with absolute axes, as QEMU's usb-tablet.</summary>
[Stateful("usb-tablet")]
public sealed partial class UsbTablet(Clock clock, UsbSpeed speed = UsbSpeed.High)
    : HidDevice("usb-tablet", speed, 0x0001, "Myna USB Tablet", default, [.. ReportDescriptor], clock), IPointer
{
    private const int Most = 0x7fff;

    private static ReadOnlySpan<byte> ReportDescriptor =>
    [
        0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00, // generic desktop, mouse, application, pointer, physical
        0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, // five buttons
        0x95, 0x05, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x03, 0x81, 0x01,
        0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff, 0x7f, // X, Y: 0 to 7FFFh
        0x35, 0x00, 0x46, 0xff, 0x7f, 0x75, 0x10, 0x95, 0x02, 0x81, 0x02,
        0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x35, 0x00, 0x45, 0x00, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06, // wheel
        0xc0, 0xc0,
    ];

    [Saved(30)] private ushort _x;
    [Saved(31)] private ushort _y;
    [Saved(32)] private byte _buttons;
    [Saved(33)] private sbyte _wheel;

    /// <inheritdoc/>
    public bool IsAbsolute => true;

    private protected override int InputSize => 6;

    /// <inheritdoc/>
    public void Move(int x, int y, int wheel, byte buttons)
    {
        lock (Lock)
        {
            // Positions replace each other; clicks and turns of the wheel do not.
            bool motion = _buttons == (buttons & 0x1f) && wheel == 0;
            _x = (ushort)Math.Clamp(x, 0, Most);
            _y = (ushort)Math.Clamp(y, 0, Most);
            _buttons = (byte)(buttons & 0x1f);
            // The wheel counts away from the user.
            _wheel = (sbyte)Math.Clamp(-wheel, -127, 127);
            Report(motion);
        }
    }

    private protected override void Fill(Span<byte> report)
    {
        report[0] = _buttons;
        BinaryPrimitives.WriteUInt16LittleEndian(report[1..], _x);
        BinaryPrimitives.WriteUInt16LittleEndian(report[3..], _y);
        report[5] = (byte)_wheel;
    }

    private protected override void Released()
    {
        (_x, _y) = (0, 0);
        _buttons = 0;
        _wheel = 0;
    }
}
