using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Input;

/// <summary>A keyboard as a virtio input device (virtio 1.2, section 5.8). The driver repeats keys by itself.</summary>
[Stateful("virtio-keyboard")]
public sealed partial class VirtioKeyboard(AddressSpace memory, VirtioOptions? options = null, LogChannel? log = null)
    : VirtioInput("virtio-keyboard", "Myna Virtio Keyboard", 1, memory, options, log), IKeyboard
{
    // Bits 0 to 2: num lock, caps lock, scroll lock.
    [Saved(30)] private byte _leds;

    /// <inheritdoc/>
    public byte Leds => (byte)((_leds & 4) >> 2 | (_leds & 3) << 1);

    /// <inheritdoc/>
    public void Key(int key, bool down)
    {
        if (EventCodes.OfScanCode(key) is var code and not 0)
            Send(new InputEvent(EventCodes.EV_KEY, code, down ? 1 : 0));
    }

    private protected override void SetBits(ushort type, Span<byte> bits)
    {
        switch (type)
        {
            case EventCodes.EV_KEY:
                for (int key = 1; key <= EventCodes.LastKey; key++)
                    SetBit(bits, key);
                break;
            case EventCodes.EV_LED: bits[0] = 7; break;
            case EventCodes.EV_REP: bits[0] = 3; break;
        }
    }

    private protected override void Received(InputEvent e)
    {
        if (e.Type == EventCodes.EV_LED && e.Code <= EventCodes.LED_SCROLLL)
            _leds = (byte)(e.Value != 0 ? _leds | 1 << e.Code : _leds & ~(1 << e.Code));
    }

    protected override void Deactivated()
    {
        base.Deactivated();
        _leds = 0;
    }
}
