using System.Buffers.Binary;

namespace Myna.Devices.Usb;

// The command ring (xHCI 1.2, section 4.6), slots and contexts.
public sealed partial class Xhci
{
    private const int ContextSize = 32;

    // Dwords of an endpoint context that software fills in; the controller's own are in the first three.
    private const uint EndpointStateMask = 7;

    /// <summary>Carries out one command.</summary>
    /// <returns>False when there is none, or it has to wait.</returns>
    private bool RunCommand()
    {
        if ((_crcr & XhciRegister.CRR) == 0 || !Running || !HasRoom(0, 1))
            return false;
        ulong at = _commandDequeue;
        byte cycle = _commandCycle;
        if (!Fetch(ref at, ref cycle, out Trb trb, out bool bad))
        {
            if (bad)
            {
                _log.Guest($"the command ring is broken at 0x{at:x}");
                _crcr &= ~(ulong)XhciRegister.CRR;
            }
            return false;
        }
        // Work of the slot's at a back end: the command comes after it.
        if (trb.Type is TrbType.DisableSlot or TrbType.StopEndpoint or TrbType.ResetDevice or TrbType.ConfigureEndpoint or TrbType.AddressDevice && IsBusy(trb.Slot))
            return false;
        _commandDequeue = at + Trb.Size;
        _commandCycle = cycle;
        int slot = trb.Slot;
        int code = Command(trb, ref slot);
        Post(0, new Trb(0, trb.Address, (uint)code << 24, TrbType.CommandCompletion << 10 | (uint)slot << 24));
        return true;
    }

    private int Command(in Trb trb, ref int slot)
    {
        switch (trb.Type)
        {
            case TrbType.NoOpCommand:
                slot = 0;
                return TrbCode.Success;
            case TrbType.EnableSlot:
                return EnableSlot(out slot);
            case TrbType.GetPortBandwidth:
                return PortBandwidth(trb);
            case TrbType.DisableSlot or TrbType.AddressDevice or TrbType.ConfigureEndpoint or TrbType.EvaluateContext or TrbType.ResetEndpoint or TrbType.StopEndpoint
                or TrbType.SetTrDequeue or TrbType.ResetDevice:
                break;
            default:
                _log.Guest($"a command of type {trb.Type}");
                return TrbCode.TrbError;
        }
        if (slot is < 1 or > SlotCount)
            return TrbCode.TrbError;
        if (_slots[slot].State == SlotState.Disabled)
            return TrbCode.SlotNotEnabled;
        return trb.Type switch
        {
            TrbType.DisableSlot => DisableSlot(slot),
            TrbType.AddressDevice => AddressDevice(trb, slot),
            TrbType.ConfigureEndpoint => ConfigureEndpoint(trb, slot),
            TrbType.EvaluateContext => EvaluateContext(trb, slot),
            TrbType.ResetEndpoint => ChangeEndpoint(slot, trb.Endpoint, EndpointState.Halted),
            TrbType.StopEndpoint => ChangeEndpoint(slot, trb.Endpoint, EndpointState.Running),
            TrbType.SetTrDequeue => SetDequeue(trb, slot),
            _ => ResetDevice(slot),
        };
    }

    private int EnableSlot(out int slot)
    {
        slot = 0;
        for (int i = 1; i <= Math.Min(SlotCount, _config & 0xff); i++)
        {
            if (_slots[i].State != SlotState.Disabled)
                continue;
            _slots[i] = default;
            slot = i;
            return TrbCode.Success;
        }
        return TrbCode.NoSlots;
    }

    private int DisableSlot(int slot)
    {
        Forget(slot);
        _slots[slot] = default;
        _slots[slot].State = SlotState.Disabled;
        _endpoints.AsSpan(slot * EndpointCount, EndpointCount).Clear();
        _pending[slot] = 0;
        return TrbCode.Success;
    }

    private void Forget(int slot)
    {
        foreach (UsbDevice device in Devices)
        {
            if (device.Slot == slot)
                device.Slot = 0;
        }
    }

    /// <summary>The device that a slot's route leads to (section 8.9 of USB 3.2), if it is connected and enabled.</summary>
    private UsbDevice? DeviceOf(int slot)
    {
        int port = _slots[slot].Port;
        if (port is < 1 or > PortCount || !_ports[port - 1].Connected || (_ports[port - 1].Portsc & XhciRegister.PED) == 0)
            return null;
        UsbDevice? device = _ports[port - 1].Device;
        for (uint route = _slots[slot].Route; route != 0 && device is not null; route >>= 4)
            device = device.Behind((int)(route & 15));
        return device;
    }

    /// <summary>Section 4.6.5.</summary>
    private int AddressDevice(in Trb trb, int slot)
    {
        const uint BlockSetAddress = 1 << 9;
        bool block = (trb.Control & BlockSetAddress) != 0;
        ref XhciSlot state = ref _slots[slot];
        Span<uint> control = stackalloc uint[2], slotContext = stackalloc uint[8], endpoint = stackalloc uint[8];
        if (!ReadContext(trb.Parameter, 0, control) || !ReadContext(trb.Parameter, 1, slotContext) || !ReadContext(trb.Parameter, 2, endpoint))
            return TrbCode.TrbError;
        if ((control[1] & 3) != 3 || control[0] != 0)
            return TrbCode.TrbError;
        if (state.State != SlotState.Enabled && (block || state.State != SlotState.Default))
            return TrbCode.ContextState;
        int port = (int)(slotContext[1] >> 16 & 0xff);
        if (port is < 1 or > PortCount)
            return TrbCode.TrbError;
        ulong output = Output(slot);
        if (output == 0)
            return TrbCode.TrbError;
        (state.Route, state.Port) = (slotContext[0] & 0xf_ffff, (byte)port);
        if (DeviceOf(slot) is not { } device)
        {
            _log.Guest($"slot {slot} is for a device at port {port}, route 0x{state.Route:x}, where none waits");
            return TrbCode.Transaction;
        }
        device.Slot = slot;
        state.Context = output;
        state.State = block ? SlotState.Default : SlotState.Addressed;
        slotContext[3] = (uint)state.State << 27 | (block ? 0 : (uint)slot);
        OpenEndpoint(slot, 1, endpoint);
        WriteContext(output, 0, slotContext[..4]);
        return TrbCode.Success;
    }

    /// <summary>Section 4.6.6.</summary>
    private int ConfigureEndpoint(in Trb trb, int slot)
    {
        const uint Deconfigure = 1 << 9;
        ref XhciSlot state = ref _slots[slot];
        if (state.State is not (SlotState.Addressed or SlotState.Configured))
            return TrbCode.ContextState;
        if ((trb.Control & Deconfigure) != 0)
        {
            CloseEndpoints(slot, 2);
            SetState(slot, SlotState.Addressed);
            return TrbCode.Success;
        }
        Span<uint> control = stackalloc uint[2], slotContext = stackalloc uint[8], context = stackalloc uint[8];
        if (!ReadContext(trb.Parameter, 0, control) || !ReadContext(trb.Parameter, 1, slotContext) || (control[0] & 3) != 0 || (control[1] & 2) != 0)
            return TrbCode.TrbError;
        for (int i = 2; i < EndpointCount; i++)
        {
            if ((control[1] >> i & 1) != 0 && (!ReadContext(trb.Parameter, i + 1, context) || (context[1] >> 3 & 7) is 0 or 4 || (context[0] >> 10 & 31) != 0))
                return TrbCode.Parameter;
        }
        for (int i = 2; i < EndpointCount; i++)
        {
            if (((control[0] | control[1]) >> i & 1) != 0)
                CloseEndpoint(slot, i);
            if ((control[1] >> i & 1) != 0 && ReadContext(trb.Parameter, i + 1, context))
                OpenEndpoint(slot, i, context);
        }
        bool any = false;
        uint last = 1;
        for (int i = 2; i < EndpointCount; i++)
        {
            if (_endpoints[slot * EndpointCount + i].State != EndpointState.Disabled)
                (any, last) = (true, (uint)i);
        }
        Span<uint> output = stackalloc uint[4];
        if (ReadContext(state.Context, 0, output))
        {
            // Hub, multi-TT, the number of a hub's ports and its think time come from the input.
            const uint Hub = 3u << 25, Entries = 31u << 27, Ports = 0xffu << 24, ThinkTime = 3u << 16;
            if ((control[1] & 1) != 0)
            {
                output[0] = output[0] & ~Hub | slotContext[0] & Hub;
                output[1] = output[1] & ~Ports | slotContext[1] & Ports;
                output[2] = output[2] & ~ThinkTime | slotContext[2] & ThinkTime;
            }
            output[0] = output[0] & ~Entries | last << 27;
            WriteContext(state.Context, 0, output[..3]);
        }
        SetState(slot, any ? SlotState.Configured : SlotState.Addressed);
        return TrbCode.Success;
    }

    /// <summary>Section 4.6.7: exit latency and interrupter of the slot, packet size of endpoint 0.</summary>
    private int EvaluateContext(in Trb trb, int slot)
    {
        ref XhciSlot state = ref _slots[slot];
        if (state.State is SlotState.Enabled)
            return TrbCode.ContextState;
        Span<uint> control = stackalloc uint[2], input = stackalloc uint[8], output = stackalloc uint[8];
        if (!ReadContext(trb.Parameter, 0, control) || control[0] != 0)
            return TrbCode.TrbError;
        if ((control[1] & 1) != 0 && ReadContext(trb.Parameter, 1, input) && ReadContext(state.Context, 0, output))
        {
            output[1] = output[1] & ~0xffffu | input[1] & 0xffff;
            output[2] = output[2] & 0x003f_ffff | input[2] & 0xffc0_0000;
            WriteContext(state.Context, 0, output[..3]);
        }
        if ((control[1] & 2) != 0 && ReadContext(trb.Parameter, 2, input) && ReadContext(state.Context, 1, output))
        {
            output[1] = output[1] & 0xffff | input[1] & 0xffff_0000;
            WriteContext(state.Context, 1, output[..2]);
        }
        return TrbCode.Success;
    }

    /// <summary>Reset Endpoint (section 4.6.8) of a halted one, Stop Endpoint (section 4.6.9) of a running one.</summary>
    private int ChangeEndpoint(int slot, int index, EndpointState from)
    {
        if (index == 0)
            return TrbCode.TrbError;
        ref XhciEndpoint endpoint = ref _endpoints[slot * EndpointCount + index];
        if (endpoint.State == EndpointState.Disabled)
            return TrbCode.EndpointNotEnabled;
        if (endpoint.State != from)
            return TrbCode.ContextState;
        SetState(slot, index, EndpointState.Stopped);
        return TrbCode.Success;
    }

    /// <summary>Section 4.6.10.</summary>
    private int SetDequeue(in Trb trb, int slot)
    {
        if (trb.Endpoint == 0)
            return TrbCode.TrbError;
        ref XhciEndpoint endpoint = ref _endpoints[slot * EndpointCount + trb.Endpoint];
        if (endpoint.State == EndpointState.Disabled)
            return TrbCode.EndpointNotEnabled;
        if (endpoint.State is not (EndpointState.Stopped or EndpointState.Error))
            return TrbCode.ContextState;
        endpoint.Dequeue = trb.Parameter & ~15ul;
        endpoint.Cycle = (byte)(trb.Parameter & 1);
        SetState(slot, trb.Endpoint, EndpointState.Stopped);
        return TrbCode.Success;
    }

    /// <summary>Section 4.6.11.</summary>
    private int ResetDevice(int slot)
    {
        if (_slots[slot].State is not (SlotState.Addressed or SlotState.Configured or SlotState.Default))
            return TrbCode.ContextState;
        CloseEndpoints(slot, 2);
        Span<uint> context = stackalloc uint[4];
        if (ReadContext(_slots[slot].Context, 0, context))
        {
            context[0] = context[0] & ~(31u << 27) | 1 << 27;
            context[3] = 0;
            WriteContext(_slots[slot].Context, 0, context);
        }
        SetState(slot, SlotState.Default);
        return TrbCode.Success;
    }

    /// <summary>Section 4.6.15: there is always enough of it.</summary>
    private int PortBandwidth(in Trb trb)
    {
        Span<byte> percent = stackalloc byte[PortCount + 1];
        percent.Fill(90);
        percent[0] = 0;
        return _memory.Write(trb.Parameter & ~15ul, percent) ? TrbCode.Success : TrbCode.TrbError;
    }

    private void OpenEndpoint(int slot, int index, Span<uint> context)
    {
        ref XhciEndpoint endpoint = ref _endpoints[slot * EndpointCount + index];
        ulong dequeue = context[2] | (ulong)context[3] << 32;
        endpoint = new XhciEndpoint { Dequeue = dequeue & ~15ul, Cycle = (byte)(dequeue & 1), State = EndpointState.Running, Type = (byte)(context[1] >> 3 & 7) };
        context[0] = context[0] & ~EndpointStateMask | (uint)EndpointState.Running;
        WriteContext(_slots[slot].Context, index, context[..5]);
    }

    private void CloseEndpoints(int slot, int first)
    {
        for (int i = first; i < EndpointCount; i++)
            CloseEndpoint(slot, i);
    }

    private void CloseEndpoint(int slot, int index)
    {
        ref XhciEndpoint endpoint = ref _endpoints[slot * EndpointCount + index];
        if (endpoint.State == EndpointState.Disabled)
            return;
        endpoint = default;
        _pending[slot] &= ~(1u << index);
        Write32(ContextAt(_slots[slot].Context, index), Read32(ContextAt(_slots[slot].Context, index)) & ~EndpointStateMask);
    }

    private void SetState(int slot, SlotState value)
    {
        _slots[slot].State = value;
        ulong at = _slots[slot].Context + 12;
        Write32(at, Read32(at) & 0x07ff_ffff | (uint)value << 27);
    }

    /// <summary>Changes an endpoint's state, and writes it with the dequeue pointer to the guest's context.</summary>
    private void SetState(int slot, int index, EndpointState value)
    {
        ref XhciEndpoint endpoint = ref _endpoints[slot * EndpointCount + index];
        endpoint.State = value;
        ulong at = ContextAt(_slots[slot].Context, index);
        Write32(at, Read32(at) & ~EndpointStateMask | (uint)value);
        Write32(at + 8, (uint)endpoint.Dequeue | endpoint.Cycle);
        Write32(at + 12, (uint)(endpoint.Dequeue >> 32));
    }

    /// <summary>A slot's output context, from the device context base address array (section 6.1).</summary>
    private ulong Output(int slot)
    {
        Span<byte> entry = stackalloc byte[8];
        return _memory.Read(_dcbaap + (ulong)slot * 8, entry) ? BinaryPrimitives.ReadUInt64LittleEndian(entry) & ~63ul : 0;
    }

    private static ulong ContextAt(ulong context, int index) => (context & ~15ul) + (ulong)(index * ContextSize);

    private bool ReadContext(ulong context, int index, Span<uint> dwords)
    {
        Span<byte> bytes = stackalloc byte[ContextSize];
        bytes = bytes[..(dwords.Length * 4)];
        if (!_memory.Read(ContextAt(context, index), bytes))
            return false;
        for (int i = 0; i < dwords.Length; i++)
            dwords[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(i * 4)..]);
        return true;
    }

    private void WriteContext(ulong context, int index, ReadOnlySpan<uint> dwords)
    {
        for (int i = 0; i < dwords.Length; i++)
            Write32(ContextAt(context, index) + (ulong)i * 4, dwords[i]);
    }
}
