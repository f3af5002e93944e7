using Myna.Hardware.State;

namespace Myna.Devices.Usb;

// Doorbells and transfer rings (xHCI 1.2, sections 4.7, 4.10 and 4.11).
public sealed partial class Xhci
{
    private const int MostTrbs = 1024, Control = 1, ControlType = 4;

    [NotSaved("transfers to use again")] private readonly Stack<XhciTransfer> _pool = new();
    [NotSaved("work begun before a reset is forgotten")] private int _epoch;
    [NotSaved("this thread is in Run")] private bool _running;

    // Endpoints that may have something to do, a bit each; all running ones after a load.
    [NotSaved("derived")] private readonly uint[] _pending = new uint[SlotCount + 1];

    // Endpoints whose TD is at a back end.
    [NotSaved("drained before saving")] private readonly uint[] _busy = new uint[SlotCount + 1];

    // Endpoints whose TD found no room for its events.
    [NotSaved("derived")] private readonly uint[] _waitsForRoom = new uint[SlotCount + 1];

    /// <summary>A TD.</summary>
    private sealed class XhciTransfer : UsbTransfer
    {
        public List<Trb> Trbs { get; } = [];
        public int Slot { get; set; }
        public int Index { get; set; }
        public int Epoch { get; set; }
        public int Interrupter { get; set; }
        public int Events { get; set; }

        /// <summary>It has been started and has not ended.</summary>
        public bool InFlight { get; set; }

        /// <summary>What follows it in the ring.</summary>
        public ulong Next { get; set; }
        public byte NextCycle { get; set; }
    }

    /// <inheritdoc/>
    void IUsbHost.Ready(UsbDevice device, int endpoint)
    {
        int slot = device.Slot;
        if (slot == 0)
            return;
        int index = (endpoint & 15) * 2 + ((endpoint & UsbRequest.DirectionIn) != 0 ? 1 : 0);
        _pending[slot] |= 1u << index;
        Wake(device);
        Run();
    }

    /// <inheritdoc/>
    void IUsbHost.Completed(UsbTransfer transfer, UsbStatus status)
    {
        var t = (XhciTransfer)transfer;
        t.InFlight = false;
        if (t.Epoch == _epoch)
        {
            _promised[t.Interrupter] -= t.Events;
            _busy[t.Slot] &= ~(1u << t.Index);
            Finish(t, status);
            _pending[t.Slot] |= 1u << t.Index;
        }
        Return(t);
        Run();
        _work.End();
    }

    private void Doorbell(int slot, int target)
    {
        if (!Running)
            return;
        if (slot == 0)
        {
            if (target == 0)
                _crcr |= XhciRegister.CRR;
        }
        else if (target is >= 1 and < EndpointCount && _slots[slot].State != SlotState.Disabled)
        {
            ref XhciEndpoint endpoint = ref _endpoints[slot * EndpointCount + target];
            if (endpoint.State == EndpointState.Stopped)
                SetState(slot, target, EndpointState.Running);
            if (endpoint.State == EndpointState.Running)
                _pending[slot] |= 1u << target;
        }
        Run();
    }

    private bool IsBusy(int slot) => slot <= SlotCount && _busy[slot] != 0;

    /// <summary>All endpoints are looked at again.</summary>
    private void KickAll()
    {
        for (int slot = 1; slot <= SlotCount; slot++)
        {
            for (int i = 1; i < EndpointCount; i++)
            {
                if (_endpoints[slot * EndpointCount + i].State == EndpointState.Running)
                    _pending[slot] |= 1u << i;
            }
        }
        Run();
    }

    private void Kick(UsbDevice? device)
    {
        if (device is null)
            return;
        if (device.Slot != 0)
            _pending[device.Slot] = uint.MaxValue;
        foreach (UsbDevice child in device.Children)
            Kick(child);
        Run();
    }

    /// <summary>Carries out commands and transfers until nothing is left that can be done now.</summary>
    private void Run()
    {
        if (_running || !Running)
            return;
        _running = true;
        int budget = MostTransfers;
        bool more = true;
        while (more && budget > 0 && Running)
        {
            more = false;
            while (budget > 0 && RunCommand())
                budget--;
            for (int slot = 1; slot <= SlotCount && budget > 0; slot++)
            {
                while (_pending[slot] != 0 && budget > 0 && Running)
                {
                    int index = System.Numerics.BitOperations.TrailingZeroCount(_pending[slot]);
                    if ((_busy[slot] >> index & 1) != 0 || !RunTransfer(slot, index))
                        _pending[slot] &= ~(1u << index);
                    else
                        more = true;
                    budget--;
                }
            }
        }
        _running = false;
        // A ring that never ends is carried on later: the CPU is not to hang in its doorbell.
        if (budget <= 0)
            _rest.Arm(_clock.Now + RestNanoseconds);
    }

    private void Rested()
    {
        lock (Lock)
            Run();
    }

    /// <summary>Carries out the next TD of a ring.</summary>
    /// <returns>False when there is none, or it has to wait for somebody to ring or to be ready.</returns>
    private bool RunTransfer(int slot, int index)
    {
        ref XhciEndpoint endpoint = ref _endpoints[slot * EndpointCount + index];
        if (endpoint.State != EndpointState.Running)
            return false;
        XhciTransfer t = _pool.TryPop(out XhciTransfer? idle) ? idle : new XhciTransfer();
        t.Buffer.Clear();
        t.Trbs.Clear();
        (t.Slot, t.Index, t.Epoch, t.Done, t.Events) = (slot, index, _epoch, 0, 0);
        bool isIn = index != Control ? (index & 1) != 0 : true;
        t.Endpoint = index >> 1 | (index != Control && isIn ? UsbRequest.DirectionIn : 0);
        ulong at = endpoint.Dequeue;
        byte cycle = endpoint.Cycle;
        bool bad, broken = false;
        while (true)
        {
            if (!Fetch(ref at, ref cycle, out Trb trb, out bad))
            {
                if (bad)
                {
                    _log.Guest($"the ring of slot {slot}, endpoint {index} is broken at 0x{at:x}");
                    SetState(slot, index, EndpointState.Error);
                }
                Return(t);
                return false;
            }
            t.Trbs.Add(trb);
            at += Trb.Size;
            broken |= !Gather(t, trb, index);
            if (trb.Has(Trb.InterruptOnCompletion) || trb.Has(Trb.InterruptOnShort) || !trb.Has(Trb.Chain))
                t.Events++;
            if (!trb.Has(Trb.Chain) || t.Trbs.Count == MostTrbs)
                break;
        }
        broken |= t.Trbs[^1].Has(Trb.Chain);
        (t.Next, t.NextCycle) = (at, cycle);
        t.Interrupter = Math.Min(t.Trbs[^1].Interrupter, InterrupterCount - 1);
        if (!HasRoom(t.Interrupter, t.Events))
        {
            Return(t);
            // The guest's next ERDP looks here again.
            _waitsForRoom[slot] |= 1u << index;
            return false;
        }
        if (broken)
        {
            _log.Guest($"a TD of slot {slot}, endpoint {index} at 0x{t.Trbs[0].Address:x} has no memory or too many TRBs");
            Event(t, t.Trbs[0], TrbCode.TrbError, t.Trbs[0].Length);
            SetState(slot, index, EndpointState.Error);
            Return(t);
            return true;
        }
        t.InFlight = true;
        _busy[slot] |= 1u << index;
        _promised[t.Interrupter] += t.Events;
        _work.Begin();
        UsbStatus status = Execute(t);
        // What is at a back end is ended by Completed, perhaps already.
        if (status == UsbStatus.Pending)
            return true;
        t.InFlight = false;
        _busy[slot] &= ~(1u << index);
        _promised[t.Interrupter] -= t.Events;
        _work.End();
        if (status != UsbStatus.Nak)
            Finish(t, status);
        Return(t);
        return status != UsbStatus.Nak;
    }

    private void Return(XhciTransfer t)
    {
        t.Buffer.Clear();
        if (_pool.Count < 64)
            _pool.Push(t);
    }

    /// <summary>Finds a TRB's memory.</summary>
    private bool Gather(XhciTransfer t, in Trb trb, int index)
    {
        const uint DirectionIn = 1 << 16;
        if (!trb.IsData || trb.Length == 0)
            return true;
        bool isIn = index == Control ? (t.Trbs[0].Control & DirectionIn) != 0 : (index & 1) != 0;
        // Immediate data (section 4.11.7) lies in the TRB.
        return trb.Has(Trb.Immediate) ? !isIn && trb.Length <= 8 && t.Buffer.Add(_memory, trb.Address, trb.Length, writable: false)
            : t.Buffer.Add(_memory, trb.Parameter, trb.Length, isIn);
    }

    private UsbStatus Execute(XhciTransfer t)
    {
        if (DeviceOf(t.Slot) is not { } device || device.Slot != t.Slot)
            return UsbStatus.Error;
        int type = t.Trbs[0].Type;
        if (type == TrbType.NoOp)
            return UsbStatus.Ok;
        if (t.Index != Control)
            return type is TrbType.Normal or TrbType.EventData ? device.Submit(t) : UsbStatus.Error;
        switch (type)
        {
            case TrbType.Setup:
                device.Setup(UsbSetup.Of(t.Trbs[0].Parameter));
                return UsbStatus.Ok;
            case TrbType.Data or TrbType.Normal:
                return device.ControlData(t);
            case TrbType.Status:
                return device.ControlStatus();
            case TrbType.EventData:
                return UsbStatus.Ok;
            default:
                return UsbStatus.Error;
        }
    }

    /// <summary>A TD has ended: its events, and what becomes of the endpoint.</summary>
    private void Finish(XhciTransfer t, UsbStatus status)
    {
        ref XhciEndpoint endpoint = ref _endpoints[t.Slot * EndpointCount + t.Index];
        if (endpoint.State != EndpointState.Running)
            return;
        int failure = status switch
        {
            UsbStatus.Ok => 0,
            UsbStatus.Stall => TrbCode.Stall,
            UsbStatus.Babble => TrbCode.Babble,
            _ => TrbCode.Transaction,
        };
        uint left = t.Done, transferred = 0;
        bool ended = false, isShort = false;
        for (int i = 0; i < t.Trbs.Count && !ended; i++)
        {
            Trb trb = t.Trbs[i];
            bool last = i == t.Trbs.Count - 1;
            uint length = trb.IsData ? trb.Length : 0, moved = Math.Min(left, length);
            left -= moved;
            transferred += moved;
            if (failure != 0 && (moved < length || last))
            {
                Event(t, trb, failure, length - moved);
                ended = true;
            }
            else if (trb.Type == TrbType.EventData)
            {
                const uint EventDataFlag = 4;
                if (trb.Has(Trb.InterruptOnCompletion))
                    Event(t, trb, isShort ? TrbCode.ShortPacket : TrbCode.Success, transferred & 0xff_ffff, EventDataFlag);
                transferred = 0;
            }
            else if (!isShort && moved < length)
            {
                isShort = true;
                if (trb.Has(Trb.InterruptOnCompletion | Trb.InterruptOnShort) || last)
                    Event(t, trb, TrbCode.ShortPacket, length - moved);
                // The rest of the TD is passed over, but for event data.
            }
            else if (!isShort && trb.Has(Trb.InterruptOnCompletion))
                Event(t, trb, TrbCode.Success, 0);
        }
        if (failure == 0)
        {
            endpoint.Dequeue = t.Next;
            endpoint.Cycle = t.NextCycle;
        }
        else
            SetState(t.Slot, t.Index, EndpointState.Halted);
    }

    private void Event(XhciTransfer t, in Trb trb, int code, uint length, uint flags = 0)
    {
        ulong parameter = flags != 0 ? trb.Parameter : trb.Address;
        Post(Math.Min(trb.Interrupter, InterrupterCount - 1), new Trb(0, parameter, (uint)code << 24 | length & 0xff_ffff,
            TrbType.TransferEvent << 10 | flags | (uint)t.Index << 16 | (uint)t.Slot << 24), !trb.Has(Trb.BlockInterrupt));
    }
}
