using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Interrupts;

/// <summary>
/// An I/O APIC (Intel 82093AA datasheet, order 290566), version 20h, which adds an EOI register (ICH9 datasheet, section
/// 13.5). Its inputs carry asserted levels: the polarity bits are storage. Interrupts leave as messages on the
/// <see cref="ApicBus"/>.
/// </summary>
[Stateful("ioapic")]
public sealed partial class IoApic : IMmio, IInterruptSink
{
    /// <summary>Bytes of registers.</summary>
    public const ulong RegisterSize = 0x1000;

    /// <summary>Inputs.</summary>
    public const int Pins = 24;

    private const ulong IOREGSEL = 0x00, IOWIN = 0x10, EOIR = 0x40;
    private const int IOAPICID = 0, IOAPICVER = 1, IOAPICARB = 2, IOREDTBL = 0x10;
    private const uint Version = (Pins - 1) << 16 | 0x20;

    // Bits of a redirection table entry (82093AA, section 3.2.4).
    private const ulong LogicalDestination = 1 << 11, RemoteIrr = 1 << 14, LevelTriggered = 1 << 15, Mask = 1 << 16;
    private const ulong Writable = 0xff00_0000_0001_afff;

    private readonly Lock _lock = new();
    [NotSaved("how the CPUs are run")] private volatile bool _hosted;
    private readonly ApicBus _bus;
    private readonly byte _initialId;

    [Saved(1)] private readonly ulong[] _redirection = new ulong[Pins];
    [Saved(2)] private uint _inputs;
    [Saved(3)] private byte _select;
    [Saved(4)] private byte _id;

    /// <param name="id">The ID as firmware would have set it, 0 to 15.</param>
    public IoApic(ApicBus bus, byte id = 0)
    {
        _bus = bus;
        _initialId = id;
        bus.Add(this);
        Reset();
    }

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        Recall();
        // DEVIATION: the datasheet wants 32-bit accesses; narrower ones see the bytes of the register.
        int shift = (int)(offset & 3) * 8;
        lock (_lock)
        {
            value = (offset & ~3ul) switch
            {
                IOREGSEL => _select,
                IOWIN => ReadRegister(_select),
                _ => 0,
            };
        }
        value = size >= 4 ? value : value >> shift & (1UL << size * 8) - 1;
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        Recall();
        lock (_lock)
        {
            switch (offset)
            {
                case IOREGSEL: _select = (byte)value; break;
                case IOWIN when size >= 4: WriteRegister(_select, (uint)value); break;
                case EOIR: EndOfInterrupt((byte)value); break;
            }
        }
        return true;
    }

    /// <summary>Inputs 0 to 23; others have no wire.</summary>
    public void SetLevel(int input, bool level)
    {
        if ((uint)input >= Pins)
            return;
        uint bit = 1u << input;
        lock (_lock)
        {
            bool rising = level && (_inputs & bit) == 0;
            _inputs = level ? _inputs | bit : _inputs & ~bit;
            if (!level || _hosted)
                return;
            // A masked edge is lost (82093AA, section 3.2.4, bit 16).
            if ((_redirection[input] & LevelTriggered) != 0)
                DeliverLevel(input);
            else if (rising && (_redirection[input] & Mask) == 0)
                _ = Send(input);
        }
    }

    /// <summary>A local APIC's EOI message, or a write to the EOI register: level interrupts with this vector may come again.</summary>
    internal void ReceiveEoi(byte vector)
    {
        lock (_lock)
        {
            if (!_hosted)
                EndOfInterrupt(vector);
        }
    }

    /// <summary>Gives the registers away; until <see cref="TakeBack"/> only the levels of inputs are followed here.</summary>
    /// <param name="redirection">Becomes the redirection table.</param>
    /// <returns>The register selected, the ID, and the levels of the inputs.</returns>
    public (byte Select, byte Id, uint Inputs) HandOver(Span<ulong> redirection)
    {
        lock (_lock)
        {
            _redirection.CopyTo(redirection);
            _hosted = true;
            return (_select, _id, _inputs);
        }
    }

    /// <summary>Takes the registers back; the inputs are what they have become here.</summary>
    public void TakeBack(ReadOnlySpan<ulong> redirection, byte select, byte id)
    {
        lock (_lock)
        {
            for (int pin = 0; pin < Pins; pin++)
                _redirection[pin] = redirection[pin] & (Writable | RemoteIrr);
            _select = select;
            _id = (byte)(id & 15);
            _hosted = false;
        }
    }

    /// <summary>Whether an input is a level.</summary>
    public bool IsLevel(int pin) => (_redirection[pin] & LevelTriggered) != 0;

    private void Recall()
    {
        if (_hosted)
            _bus.Host?.Recall();
    }

    /// <summary>After local APICs have come back from where the end of an interrupt may have got lost: those that no APIC knows any more have ended.</summary>
    public void FinishForgotten()
    {
        lock (_lock)
        {
            for (int pin = 0; pin < Pins; pin++)
            {
                byte vector = (byte)_redirection[pin];
                if ((_redirection[pin] & LevelTriggered) != 0)
                    DeliverLevel(pin);
                if ((_redirection[pin] & RemoteIrr) != 0 && !_bus.LocalApics.Any(a => a.Knows(vector)))
                    EndOfInterrupt(vector);
            }
        }
    }

    /// <summary>Power-on state; the wires keep their levels.</summary>
    public void Reset()
    {
        Array.Fill(_redirection, Mask);
        _select = 0;
        _id = _initialId;
    }

    private void Sync()
    {
        for (int pin = 0; pin < Pins; pin++)
            Route(pin);
    }

    private uint ReadRegister(int register)
    {
        int entry = register - IOREDTBL >> 1;
        return register switch
        {
            // The arbitration ID is loaded whenever the ID is written.
            IOAPICID or IOAPICARB => (uint)_id << 24,
            IOAPICVER => Version,
            >= IOREDTBL when entry < Pins => (uint)(_redirection[entry] >> (register & 1) * 32),
            _ => 0,
        };
    }

    private void WriteRegister(int register, uint value)
    {
        int pin = register - IOREDTBL >> 1;
        if (register == IOAPICID)
            _id = (byte)(value >> 24 & 15);
        if (register < IOREDTBL || pin >= Pins)
            return;
        int shift = (register & 1) * 32;
        ulong writable = Writable & 0xffff_fffful << shift;
        ref ulong entry = ref _redirection[pin];
        entry = (entry & ~writable) | ((ulong)value << shift & writable);
        Route(pin);
        if ((entry & LevelTriggered) == 0)
            entry &= ~RemoteIrr;
        else
            DeliverLevel(pin);
    }

    // Local APICs elsewhere tell of the end of those level interrupts alone that they know from here.
    private void Route(int pin)
    {
        if (_bus.Host is { } host && (_redirection[pin] & Mask) == 0)
            host.SetRoute(pin, ApicBus.AddressOf(MessageOf(pin)), ApicBus.DataOf(MessageOf(pin)));
    }

    private void EndOfInterrupt(byte vector)
    {
        for (int pin = 0; pin < Pins; pin++)
        {
            ref ulong entry = ref _redirection[pin];
            if ((byte)entry != vector || (entry & (LevelTriggered | RemoteIrr)) != (LevelTriggered | RemoteIrr))
                continue;
            entry &= ~RemoteIrr;
            DeliverLevel(pin);
        }
    }

    /// <summary>Sends a level interrupt if it is due: input high, not masked, not accepted before.</summary>
    private void DeliverLevel(int pin)
    {
        ref ulong entry = ref _redirection[pin];
        if ((_inputs >> pin & 1) == 0 || (entry & (Mask | RemoteIrr)) != 0)
            return;
        if (Send(pin) && (DeliveryMode)(entry >> 8 & 7) is DeliveryMode.Fixed or DeliveryMode.LowestPriority)
            entry |= RemoteIrr;
    }

    private bool Send(int pin) => _bus.Deliver(MessageOf(pin));

    private ApicMessage MessageOf(int pin)
    {
        ulong entry = _redirection[pin];
        return new ApicMessage(ApicMessage.Widen((byte)(entry >> 56)), (entry & LogicalDestination) != 0, (DeliveryMode)(entry >> 8 & 7), (byte)entry, (entry & LevelTriggered) != 0);
    }
}
