using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Input;

/// <summary>A pointing device that says where it is, as a virtio input device (virtio 1.2, section 5.8).</summary>
[Stateful("virtio-tablet")]
public sealed partial class VirtioTablet(AddressSpace memory, VirtioOptions? options = null, LogChannel? log = null)
    : VirtioInput("virtio-tablet", "Myna Virtio Tablet", 3, memory, options, log), IPointer
{
    private const int Buttons = 5;

    [Saved(30)] private byte _buttons;

    /// <inheritdoc/>
    public bool IsAbsolute => true;

    /// <inheritdoc/>
    public void Move(int x, int y, int wheel, byte buttons)
    {
        Span<InputEvent> events = stackalloc InputEvent[3 + Buttons];
        int count = 0;
        events[count++] = new InputEvent(EventCodes.EV_ABS, EventCodes.ABS_X, Math.Clamp(x, 0, 0x7fff));
        events[count++] = new InputEvent(EventCodes.EV_ABS, EventCodes.ABS_Y, Math.Clamp(y, 0, 0x7fff));
        // Linux counts the wheel away from the user.
        if (wheel != 0)
            events[count++] = new InputEvent(EventCodes.EV_REL, EventCodes.REL_WHEEL, -wheel);
        for (int i = 0; i < Buttons; i++)
        {
            if (((buttons ^ _buttons) >> i & 1) != 0)
                events[count++] = new InputEvent(EventCodes.EV_KEY, (ushort)(EventCodes.BTN_LEFT + i), buttons >> i & 1);
        }
        _buttons = buttons;
        Send(events[..count]);
    }

    private protected override void SetBits(ushort type, Span<byte> bits)
    {
        switch (type)
        {
            case EventCodes.EV_KEY:
                for (int button = EventCodes.BTN_LEFT; button <= EventCodes.BTN_EXTRA; button++)
                    SetBit(bits, button);
                break;
            case EventCodes.EV_REL: SetBit(bits, EventCodes.REL_WHEEL); break;
            case EventCodes.EV_ABS: bits[0] = 1 << EventCodes.ABS_X | 1 << EventCodes.ABS_Y; break;
        }
    }

    private protected override bool HasAxis(int axis) => axis is EventCodes.ABS_X or EventCodes.ABS_Y;

    protected override void Deactivated()
    {
        base.Deactivated();
        _buttons = 0;
    }
}
