using System.Buffers.Binary;
using Myna.Devices.Scsi;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Scsi;

/// <summary>
/// The SCSI host (virtio 1.2, section 5.6): every drive is a target with one logical unit, number 0. Requests go to the back ends on whichever CPU
/// notifies, and whatever thread I/O completes on finishes them.
/// </summary>
/// <remarks>Locks, outermost first: a request queue's, <see cref="UnitsLock"/>, or a request queue's and then the control or event queue's.</remarks>
// LIMIT: no hot plug, no bidirectional commands, no protection information.
[Stateful("virtio-scsi")]
public sealed partial class VirtioScsi : VirtioDevice
{
    private const ushort QueueSize = 256;
    private const int ControlQueue = 0, EventQueue = 1, FirstRequestQueue = 2, MaxTargets = 256;

    private readonly Lock _poolLock = new();
    private readonly object _idle = new();
    private readonly DescriptorChain _eventChain = new();

    [NotSaved("requests to use again")] private readonly Stack<ScsiRequest> _pool = new();
    [NotSaved("drained before saving")] private readonly List<ScsiRequest> _active = [];
    [NotSaved("drained before saving")] private readonly List<TaskManagement> _waiting = [];
    [NotSaved("drained before saving")] private int _finishing;
    [NotSaved("tells requests of this process apart")] private ulong _serial;

    [Saved(20)] private readonly ScsiUnit[] _units;
    [Saved(21)] private int _senseSize = ScsiConfig.DefaultSenseSize;
    [Saved(22)] private int _cdbSize = ScsiConfig.DefaultCdbSize;
    [Saved(23)] private bool _eventsMissed;

    /// <param name="units">The targets, from number 0 on; 1 to 256.</param>
    /// <param name="queues">Request queues, 1 to 64.</param>
    /// <exception cref="ArgumentOutOfRangeException">Not so many targets or queues.</exception>
    public VirtioScsi(AddressSpace memory, IEnumerable<ScsiUnit> units, int queues = 1, VirtioOptions? options = null, LogChannel? log = null)
        : base(VirtioDeviceId.Scsi, "virtio-scsi", memory, Sizes(queues), options, log)
    {
        _units = [.. units];
        ArgumentOutOfRangeException.ThrowIfZero(_units.Length, nameof(units));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_units.Length, MaxTargets, nameof(units));
        foreach (ScsiUnit unit in _units)
            unit.Reset();
    }

    /// <inheritdoc/>
    public override int ConfigSize => ScsiConfig.Size;

    /// <summary>Held while a unit decodes a command, and for the lists of requests.</summary>
    internal Lock UnitsLock { get; } = new();

    internal int SenseSize => _senseSize;
    internal int CdbSize => _cdbSize;

    /// <summary>Bytes of struct virtio_scsi_cmd_resp.</summary>
    internal int ResponseSize => 12 + _senseSize;

    protected override ulong DeviceFeatures => ScsiFeature.Change;

    /// <summary>The unit that is a target, or null.</summary>
    internal ScsiUnit? UnitOf(int target) => target < _units.Length ? _units[target] : null;

    /// <summary>Exchanges a CD drive's disc. Parameters and result as for <see cref="ScsiCdrom.Exchange"/>.</summary>
    public bool ExchangeMedium(int target, IBlockBackend? medium, bool force)
    {
        bool exchanged = false;
        while (!TryExchange())
            Drain();
        if (Negotiated(ScsiFeature.Change))
            SendEvent(ScsiEvent.PARAM_CHANGE, target, reason: exchanged ? 0x0028u : 0x015au);
        return exchanged;

        // Nothing may still be reading the old disc.
        bool TryExchange()
        {
            lock (UnitsLock)
            {
                bool idle = !_active.Exists(r => r.Target == target);
                exchanged = idle && ((ScsiCdrom)_units[target]).Exchange(medium, force);
                return idle;
            }
        }
    }

    /// <inheritdoc/>
    public override void Drain()
    {
        lock (_idle)
        {
            while (HasActive())
                Monitor.Wait(_idle);
        }
    }

    protected override void FillConfig(Span<byte> config)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(config[ScsiConfig.NumQueues..], (uint)(Queues.Length - FirstRequestQueue));
        BinaryPrimitives.WriteUInt32LittleEndian(config[ScsiConfig.SegMax..], QueueSize - 2);
        BinaryPrimitives.WriteUInt32LittleEndian(config[ScsiConfig.MaxSectors..], 0xffff);
        BinaryPrimitives.WriteUInt32LittleEndian(config[ScsiConfig.CmdPerLun..], 128);
        BinaryPrimitives.WriteUInt32LittleEndian(config[ScsiConfig.EventInfoSize..], ScsiEvent.Size);
        BinaryPrimitives.WriteUInt32LittleEndian(config[ScsiConfig.SenseSize..], (uint)_senseSize);
        BinaryPrimitives.WriteUInt32LittleEndian(config[ScsiConfig.CdbSize..], (uint)_cdbSize);
        BinaryPrimitives.WriteUInt16LittleEndian(config[ScsiConfig.MaxTarget..], (ushort)(_units.Length - 1));
    }

    internal override void WriteConfig(ulong offset, int size, ulong value)
    {
        // Section 5.6.4: before DRIVER_OK; a queue at work must not see them change.
        if (size != 4 || Running)
            return;
        if (offset == ScsiConfig.SenseSize && value <= ScsiConfig.MostSense)
            _senseSize = (int)value;
        else if (offset == ScsiConfig.CdbSize && value is >= 1 and <= ScsiConfig.MostCdb)
            _cdbSize = (int)value;
    }

    protected override void QueueNotified(int queue)
    {
        if (queue == ControlQueue)
            Control();
        else if (queue == EventQueue)
            RepeatMissed();
        else
            Requests(Queues[queue]);
    }

    protected override void Deactivated()
    {
        lock (UnitsLock)
        {
            (_senseSize, _cdbSize) = (ScsiConfig.DefaultSenseSize, ScsiConfig.DefaultCdbSize);
            _eventsMissed = false;
            _waiting.Clear();
            foreach (ScsiUnit unit in _units)
                unit.Reset();
        }
    }

    /// <summary>A request begins; with <see cref="UnitsLock"/> held.</summary>
    /// <returns>Its place in the order of requests.</returns>
    internal ulong Began(ScsiRequest request)
    {
        _active.Add(request);
        return ++_serial;
    }

    /// <summary>A request has been answered and may be used again.</summary>
    internal void Ended(ScsiRequest request, bool active)
    {
        if (active)
        {
            TaskManagement[] done = [];
            lock (UnitsLock)
            {
                _active.Remove(request);
                _finishing++;
                if (_waiting.Count != 0)
                {
                    done = [.. _waiting.Where(w => !_active.Exists(w.Awaits))];
                    _ = _waiting.RemoveAll(done.Contains);
                }
            }
            foreach (TaskManagement function in done)
                Finish(function);
            lock (UnitsLock)
                _finishing--;
        }
        lock (_poolLock)
            _pool.Push(request);
        if (active && !HasActive())
        {
            lock (_idle)
                Monitor.PulseAll(_idle);
        }
    }

    internal void NeedsReset(string reason) => SetNeedsReset(reason);

    private bool HasActive()
    {
        lock (UnitsLock)
            return _active.Count + _finishing != 0;
    }

    private void Requests(Virtqueue q)
    {
        lock (q.Lock)
        {
            ScsiRequest? request = null;
            do
            {
                q.DisableNotifications();
                while (q.TryPop((request ??= Rent()).Chain))
                {
                    request.Start(q);
                    request = null;
                }
            }
            while (q.EnableNotifications());
            if (request is not null)
                Ended(request, active: false);
        }
    }

    private ScsiRequest Rent()
    {
        lock (_poolLock)
        {
            if (_pool.TryPop(out ScsiRequest? request))
                return request;
        }
        return new ScsiRequest(this);
    }

    private void Control()
    {
        Virtqueue q = Queues[ControlQueue];
        lock (q.Lock)
        {
            var chain = new DescriptorChain();
            do
            {
                q.DisableNotifications();
                while (q.TryPop(chain))
                {
                    if (Control(q, chain))
                        chain = new DescriptorChain();
                }
                q.Signal();
            }
            while (q.EnableNotifications());
        }
    }

    /// <returns>True when the answer comes later.</returns>
    private bool Control(Virtqueue q, DescriptorChain chain)
    {
        const int TmfSize = 24, QuerySize = 16, QueryAnswer = 5;
        Span<byte> head = stackalloc byte[TmfSize];
        head.Clear();
        int length = chain.Read(0, head);
        uint type = BinaryPrimitives.ReadUInt32LittleEndian(head);
        switch (type)
        {
            case ScsiControl.TMF when length == TmfSize && chain.WritableLength >= 1:
                return Manage(q, chain, head);
            case ScsiControl.AN_QUERY or ScsiControl.AN_SUBSCRIBE when length >= QuerySize && chain.WritableLength >= QueryAnswer:
                // No event is sent without the driver having to ask (section 5.6.6.2): none that it may ask for exists.
                ScsiAddress address = ScsiAddress.Read(head[4..]);
                Span<byte> answer = [0, 0, 0, 0, (byte)(address.Valid && UnitOf(address.Target) is not null ? ScsiResponse.Ok : ScsiResponse.BadTarget)];
                q.Push(chain, (uint)chain.Write(0, answer));
                return false;
            default:
                NeedsReset($"a control request of type {type} and {length} bytes");
                return false;
        }
    }

    private bool Manage(Virtqueue q, DescriptorChain chain, ReadOnlySpan<byte> head)
    {
        uint function = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
        ScsiAddress address = ScsiAddress.Read(head[8..]);
        ulong id = BinaryPrimitives.ReadUInt64LittleEndian(head[16..]);
        ScsiResponse response;
        lock (UnitsLock)
        {
            var wait = new TaskManagement(chain, address.Target, function == ScsiControl.ABORT_TASK ? id : null, _serial,
                Resets: function is ScsiControl.LOGICAL_UNIT_RESET or ScsiControl.I_T_NEXUS_RESET);
            if (!address.Valid || UnitOf(address.Target) is null)
                response = ScsiResponse.BadTarget;
            else if (address.Unit != 0)
                response = ScsiResponse.IncorrectLun;
            else
            {
                switch (function)
                {
                    case ScsiControl.ABORT_TASK or ScsiControl.ABORT_TASK_SET or ScsiControl.CLEAR_TASK_SET or ScsiControl.LOGICAL_UNIT_RESET or ScsiControl.I_T_NEXUS_RESET:
                        // What is under way at a back end cannot be called back: it is awaited, so that nothing of it happens behind the answer.
                        if (_active.Exists(wait.Awaits))
                        {
                            _waiting.Add(wait);
                            return true;
                        }
                        if (wait.Resets)
                            UnitOf(address.Target)!.Reset();
                        response = ScsiResponse.Ok;
                        break;
                    case ScsiControl.QUERY_TASK:
                        response = _active.Exists(r => r.Target == address.Target && r.Id == id) ? ScsiResponse.FunctionSucceeded : ScsiResponse.Ok;
                        break;
                    case ScsiControl.QUERY_TASK_SET:
                        response = _active.Exists(r => r.Target == address.Target) ? ScsiResponse.FunctionSucceeded : ScsiResponse.Ok;
                        break;
                    default:
                        response = ScsiResponse.FunctionRejected;
                        break;
                }
            }
        }
        q.Push(chain, (uint)chain.Write(0, [(byte)response]));
        return false;
    }

    /// <summary>What a task management function waited for has ended.</summary>
    private void Finish(TaskManagement function)
    {
        if (function.Resets)
        {
            lock (UnitsLock)
                UnitOf(function.Target)?.Reset();
        }
        Virtqueue q = Queues[ControlQueue];
        lock (q.Lock)
        {
            q.Push(function.Chain, (uint)function.Chain.Write(0, [(byte)ScsiResponse.Ok]));
            q.Signal();
        }
    }

    private void RepeatMissed()
    {
        if (Volatile.Read(ref _eventsMissed))
            SendEvent(ScsiEvent.NO_EVENT, target: null, reason: 0);
    }

    /// <summary>Tells the driver; without a buffer it learns later that it missed something.</summary>
    private void SendEvent(uint type, int? target, uint reason)
    {
        Virtqueue q = Queues[EventQueue];
        Span<byte> data = stackalloc byte[ScsiEvent.Size];
        data.Clear();
        lock (q.Lock)
        {
            if (!q.TryPop(_eventChain))
            {
                _eventsMissed = true;
                return;
            }
            if (_eventsMissed)
                type |= ScsiEvent.EVENTS_MISSED;
            _eventsMissed = false;
            BinaryPrimitives.WriteUInt32LittleEndian(data, type);
            if (target is { } number)
                new ScsiAddress(true, (byte)number, 0).Write(data[4..]);
            BinaryPrimitives.WriteUInt32LittleEndian(data[12..], reason);
            q.Push(_eventChain, (uint)_eventChain.Write(0, data));
            q.Signal();
        }
    }

    private static ushort[] Sizes(int queues)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(queues, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(queues, 64);
        ushort[] sizes = new ushort[FirstRequestQueue + queues];
        Array.Fill(sizes, QueueSize);
        return sizes;
    }

    /// <summary>A function whose answer waits for requests.</summary>
    /// <param name="Id">The only request that it is about, or null for all of the target.</param>
    /// <param name="Last">Requests that began later are none of its business.</param>
    private sealed record TaskManagement(DescriptorChain Chain, int Target, ulong? Id, ulong Last, bool Resets)
    {
        public bool Awaits(ScsiRequest request) => request.Target == Target && request.Serial <= Last && (Id is null || request.Id == Id);
    }
}
