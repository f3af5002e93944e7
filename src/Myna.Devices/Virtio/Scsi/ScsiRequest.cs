using System.Buffers.Binary;
using Myna.Devices.Scsi;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;

namespace Myna.Devices.Virtio.Scsi;

/// <summary>One command of a <see cref="VirtioScsi"/>, from its descriptors to its response. Pooled.</summary>
internal sealed class ScsiRequest
{
    // struct virtio_scsi_cmd_req without its CDB; its response without sense data.
    private const int HeaderSize = 19, ResponseHead = 12;
    private const byte Good = 0, CheckCondition = 2;
    private const int LongestCdb = 16;

    private readonly VirtioScsi _device;
    private readonly List<Memory<byte>> _reads = [];
    private readonly List<ReadOnlyMemory<byte>> _writes = [];
    private readonly BackendWork _work;
    private Virtqueue _queue = null!;
    private Transfer _transfer;
    private uint _moved;
    private bool _active, _noteWritten;

    public ScsiRequest(VirtioScsi device)
    {
        _device = device;
        _work = new BackendWork(Ended);
    }

    public DescriptorChain Chain { get; } = new();

    public int Target { get; private set; }

    /// <summary>What the driver calls it.</summary>
    public ulong Id { get; private set; }

    public ulong Serial { get; private set; }

    private uint DataIn => Chain.WritableLength - (uint)_device.ResponseSize;
    private uint DataOut => Chain.ReadableLength - (uint)(HeaderSize + _device.CdbSize);

    /// <summary>Begins the command that <see cref="Chain"/> holds. The queue is locked.</summary>
    public void Start(Virtqueue queue)
    {
        _queue = queue;
        _moved = 0;
        _active = _noteWritten = false;
        _transfer = default;
        int cdbSize = _device.CdbSize;
        Span<byte> header = stackalloc byte[HeaderSize + ScsiConfig.MostCdb];
        header = header[..(HeaderSize + Math.Max(cdbSize, LongestCdb))];
        header.Clear();
        if (Chain.Read(0, header[..(HeaderSize + cdbSize)]) != HeaderSize + cdbSize || Chain.WritableLength < (uint)_device.ResponseSize)
        {
            _device.NeedsReset($"queue {queue.Index}: a request without header or response");
            _device.Ended(this, active: false);
            return;
        }
        ScsiAddress address = ScsiAddress.Read(header);
        Id = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
        Target = address.Target;
        if (!address.Valid || _device.UnitOf(Target) is not { } unit)
        {
            Finish(ScsiResponse.BadTarget, Good, Sense.None);
            return;
        }
        ReadOnlySpan<byte> cdb = header[HeaderSize..];
        if (address.Unit != 0)
            NoUnit(cdb[0]);
        else
            Begin(unit, cdb);
    }

    private void Begin(ScsiUnit unit, ReadOnlySpan<byte> cdb)
    {
        ValueTask<BlockStatus> io = default;
        IBlockBackend? flush = null;
        ScsiResponse response = ScsiResponse.Ok;
        Sense sense;
        bool begun = false;
        lock (_device.UnitsLock)
        {
            _transfer = unit.Begin(cdb);
            sense = unit.TakeSense();
            IBlockBackend? medium = unit.Medium;
            uint length = _transfer.Length;
            switch (_transfer.Kind)
            {
                case TransferKind.In:
                    _moved = (uint)Chain.Write((uint)_device.ResponseSize, unit.Buffer.AsSpan(0, (int)Math.Min(length, DataIn)));
                    break;
                case TransferKind.Out when length > DataOut:
                case TransferKind.Read when length > DataIn:
                case TransferKind.Write when length > DataOut:
                    response = ScsiResponse.Overrun;
                    break;
                case TransferKind.Out:
                    _moved = (uint)Chain.Read((uint)(HeaderSize + _device.CdbSize), unit.Buffer.AsSpan(0, (int)length));
                    io = unit.AcceptAsync(cdb[0], (int)length);
                    sense = unit.TakeSense();
                    begun = true;
                    break;
                case TransferKind.Read:
                    Chain.GetWritable((uint)_device.ResponseSize, length, _reads);
                    _moved = length;
                    _noteWritten = true;
                    io = medium!.ReadAsync(_transfer.Offset, _reads);
                    begun = true;
                    break;
                case TransferKind.Write:
                    Chain.GetReadable((uint)(HeaderSize + _device.CdbSize), length, _writes);
                    _moved = length;
                    flush = _transfer.FlushAfter ? medium : null;
                    io = medium!.WriteAsync(_transfer.Offset, _writes);
                    begun = true;
                    break;
                case TransferKind.Flush when medium is not null:
                    io = medium.FlushAsync();
                    begun = true;
                    break;
            }
            if (begun)
            {
                _active = true;
                Serial = _device.Began(this);
            }
        }
        if (!begun)
            Finish(response, sense.Key == 0 ? Good : CheckCondition, sense);
        else if (sense.Key != 0)
        {
            // Parameters that make no sense: nothing was begun with them.
            _ = io.GetAwaiter().GetResult();
            Finish(ScsiResponse.Ok, CheckCondition, sense);
        }
        else
            _work.Begin(io, flush);
    }

    /// <summary>A unit that the target has not (SPC-4, sections 6.6.1 and 6.33): it says so, and which ones there are.</summary>
    private void NoUnit(byte op)
    {
        if (op == ScsiOp.INQUIRY)
        {
            Span<byte> answer = stackalloc byte[36];
            answer.Clear();
            (answer[0], answer[2], answer[3], answer[4]) = (0x7f, 5, 2, 31);
            _moved = (uint)Chain.Write((uint)_device.ResponseSize, answer[..(int)Math.Min(36, DataIn)]);
            Finish(ScsiResponse.Ok, Good, Sense.None);
        }
        else
            Finish(ScsiResponse.Ok, CheckCondition, Sense.NoSuchUnit);
    }

    private void Ended(BlockStatus status)
    {
        Sense sense = ScsiUnit.SenseOf(_transfer, status);
        if (sense.Key != 0)
            _moved = 0;
        Finish(ScsiResponse.Ok, sense.Key == 0 ? Good : CheckCondition, sense);
    }

    /// <summary>Writes the response and gives the buffer back.</summary>
    private void Finish(ScsiResponse response, byte status, Sense sense)
    {
        _reads.Clear();
        _writes.Clear();
        if (_noteWritten)
            Chain.NoteWritten();
        bool input = _transfer.Kind is TransferKind.In or TransferKind.Read || DataOut == 0;
        uint residual = (input ? DataIn : DataOut) - Math.Min(_moved, input ? DataIn : DataOut);
        Span<byte> bytes = stackalloc byte[ResponseHead + ScsiConfig.MostSense];
        bytes = bytes[.._device.ResponseSize];
        bytes.Clear();
        int senseLength = sense.Key == 0 ? 0 : Math.Min(ScsiUnit.SenseSize, _device.SenseSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)senseLength);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], residual);
        (bytes[10], bytes[11]) = (status, (byte)response);
        if (senseLength != 0)
            ScsiUnit.WriteSense(bytes[ResponseHead..], sense);
        lock (_queue.Lock)
        {
            _ = Chain.Write(0, bytes);
            _queue.Push(Chain, (uint)bytes.Length + (_transfer.Kind is TransferKind.In or TransferKind.Read || input ? _moved : 0));
            _queue.Signal();
        }
        _device.Ended(this, _active);
    }
}
