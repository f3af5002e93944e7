using System.Buffers.Binary;
using Myna.Hardware.Memory;

namespace Myna.Devices.Usb;

// Interrupters and their event rings (xHCI 1.2, sections 4.9.4 and 4.17).
public sealed partial class Xhci
{
    /// <summary>Events that transfers under way are going to need, at most.</summary>
    [Hardware.State.NotSaved("drained before saving")] private readonly int[] _promised = new int[InterrupterCount];

    private uint ReadInterrupter(int offset)
    {
        ref XhciInterrupter interrupter = ref _interrupters[offset / XhciRegister.InterrupterSize];
        return (offset % XhciRegister.InterrupterSize) switch
        {
            XhciRegister.IMAN => interrupter.Iman,
            XhciRegister.IMOD => interrupter.Imod,
            XhciRegister.ERSTSZ => interrupter.Erstsz,
            XhciRegister.ERSTBA => (uint)interrupter.Erstba,
            XhciRegister.ERSTBA + 4 => (uint)(interrupter.Erstba >> 32),
            XhciRegister.ERDP => (uint)interrupter.Erdp,
            XhciRegister.ERDP + 4 => (uint)(interrupter.Erdp >> 32),
            _ => 0,
        };
    }

    private void WriteInterrupter(int offset, uint value)
    {
        int index = offset / XhciRegister.InterrupterSize;
        ref XhciInterrupter interrupter = ref _interrupters[index];
        switch (offset % XhciRegister.InterrupterSize)
        {
            case XhciRegister.IMAN:
                interrupter.Iman = (interrupter.Iman & ~value & XhciRegister.IP) | value & XhciRegister.IE;
                Interrupt(index);
                break;
            case XhciRegister.IMOD:
                interrupter.Imod = value;
                break;
            case XhciRegister.ERSTSZ:
                interrupter.Erstsz = value & 0xffff;
                break;
            case XhciRegister.ERSTBA:
                interrupter.Erstba = interrupter.Erstba & ~0xffff_fffful | value & ~63u;
                break;
            case XhciRegister.ERSTBA + 4:
                interrupter.Erstba = (uint)interrupter.Erstba | (ulong)value << 32;
                LoadRing(ref interrupter);
                break;
            case XhciRegister.ERDP:
                uint busy = (uint)interrupter.Erdp & ~value & XhciRegister.EHB;
                interrupter.Erdp = interrupter.Erdp & ~0xffff_fffful | value & ~XhciRegister.EHB | busy;
                // What came while the handler was busy interrupts again.
                if ((value & XhciRegister.EHB) != 0 && interrupter.Size != 0 && (interrupter.Erdp & ~15ul) != interrupter.Segment + interrupter.Enqueue * Trb.Size)
                    Raise(index);
                Freed();
                break;
            case XhciRegister.ERDP + 4:
                interrupter.Erdp = (uint)interrupter.Erdp | (ulong)value << 32;
                Freed();
                break;
        }
    }

    /// <summary>The event ring's only segment (section 6.5).</summary>
    private void LoadRing(ref XhciInterrupter interrupter)
    {
        Span<byte> entry = stackalloc byte[16];
        interrupter.Size = 0;
        if (interrupter.Erstsz == 0)
            return;
        if (!_memory.Read(interrupter.Erstba, entry))
        {
            _log.Guest($"no RAM at the event ring segment table, 0x{interrupter.Erstba:x}");
            return;
        }
        interrupter.Segment = BinaryPrimitives.ReadUInt64LittleEndian(entry) & ~63ul;
        interrupter.Size = BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]) & 0xffff;
        if (interrupter.Size is < 16 or > 4096)
        {
            _log.Guest($"an event ring segment of {interrupter.Size} TRBs");
            interrupter.Size = 0;
        }
        (interrupter.Enqueue, interrupter.Cycle) = (0, 1);
    }

    /// <summary>How many events the ring takes.</summary>
    private int Room(int index)
    {
        ref XhciInterrupter interrupter = ref _interrupters[index];
        if (interrupter.Size == 0)
            return 0;
        ulong dequeue = ((interrupter.Erdp & ~15ul) - interrupter.Segment) / Trb.Size;
        if (dequeue >= interrupter.Size)
            return 0;
        return (int)((dequeue + interrupter.Size - interrupter.Enqueue - 1) % interrupter.Size);
    }

    /// <summary>Whether a command or TD with so many events may begin; what needs more than the ring has begins when it is empty.</summary>
    private bool HasRoom(int index, int events)
    {
        int room = Room(index) - _promised[index];
        return room >= events || (_interrupters[index].Size != 0 && _promised[index] == 0 && room == _interrupters[index].Size - 1);
    }

    /// <returns>False when the ring is full and the event is lost.</returns>
    private bool Post(int index, in Trb trb, bool interrupt = true)
    {
        if (Room(index) == 0)
        {
            _log.Guest($"event ring {index} is full");
            return false;
        }
        ref XhciInterrupter interrupter = ref _interrupters[index];
        ulong at = interrupter.Segment + interrupter.Enqueue * Trb.Size;
        Span<byte> bytes = stackalloc byte[Trb.Size];
        uint control = trb.Control | interrupter.Cycle;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, trb.Parameter);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], trb.Status);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], control);
        // The cycle bit tells the guest that the rest is there.
        if (!_memory.Write(at, bytes[..12]) || !_memory.Write(at + 14, bytes[14..]) || !_memory.FindRam(at + 12, 2, out Ram? ram, out ulong offset, out int run) || run < 2 || ram.ReadOnly)
        {
            _log.Guest($"no RAM at event ring {index}, 0x{interrupter.Segment:x}");
            _usbsts |= XhciRegister.HSE;
            return false;
        }
        ram.StoreRelease(offset, (ushort)control);
        if (++interrupter.Enqueue == interrupter.Size)
        {
            interrupter.Enqueue = 0;
            interrupter.Cycle ^= 1;
        }
        if (interrupt)
            Raise(index);
        return true;
    }

    private void Raise(int index)
    {
        ref XhciInterrupter interrupter = ref _interrupters[index];
        bool busy = (interrupter.Erdp & XhciRegister.EHB) != 0;
        interrupter.Erdp |= XhciRegister.EHB;
        interrupter.Iman |= XhciRegister.IP;
        _usbsts |= XhciRegister.EINT;
        if (!busy)
            Interrupt(index);
    }

    /// <summary>Signals what is pending: by a message, which clears IP (section 4.17.5), or by the wire.</summary>
    private void Interrupt(int index)
    {
        ref XhciInterrupter interrupter = ref _interrupters[index];
        if (Msix is { Enabled: true } msix)
        {
            const uint Due = XhciRegister.IP | XhciRegister.IE;
            if ((interrupter.Iman & Due) == Due && (_usbcmd & XhciRegister.INTE) != 0)
            {
                interrupter.Iman &= ~XhciRegister.IP;
                msix.Signal(index);
            }
        }
        DriveWire();
    }

    /// <summary>Interrupters share the wire.</summary>
    private void DriveWire()
    {
        bool level = false;
        foreach (ref readonly XhciInterrupter interrupter in _interrupters.AsSpan())
            level |= (interrupter.Iman & (XhciRegister.IP | XhciRegister.IE)) == (XhciRegister.IP | XhciRegister.IE);
        SetIntx(level && (_usbcmd & XhciRegister.INTE) != 0 && Msix is not { Enabled: true });
    }

    /// <summary>The guest has taken events: there is room for what waits.</summary>
    private void Freed()
    {
        for (int i = 0; i < PortCount && _lostPortEvents != 0; i++)
        {
            if ((_lostPortEvents >> i & 1) != 0 && Room(0) != 0)
            {
                _lostPortEvents &= ~(1u << i);
                PostPort(i);
            }
        }
        for (int slot = 1; slot <= SlotCount; slot++)
        {
            _pending[slot] |= _waitsForRoom[slot];
            _waitsForRoom[slot] = 0;
        }
        Run();
    }

    private void PostPort(int port)
    {
        if (!Post(0, new Trb(0, (ulong)(port + 1) << 24, TrbCode.Success << 24, TrbType.PortStatusChange << 10)))
            _lostPortEvents |= 1u << port;
    }
}
