using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Storage;
using Myna.Hardware.State;

namespace Myna.Devices.Nvme;

/// <summary>Admin commands (NVMe 1.4, chapter 5).</summary>
public sealed partial class NvmeController
{
    private const int MostEventRequests = 4, IdentifySize = 4096;

    [NotSaved("what is being answered")] private readonly byte[] _answer = new byte[IdentifySize];
    [NotSaved("what is being answered")] private readonly DmaBuffer _adminBuffer = new();

    private void Admin(in NvmeEntry entry)
    {
        uint result = 0;
        if (entry.Opcode == NvmeOp.AsyncEvent)
        {
            // It ends with an event.
            if (_eventRequests < MostEventRequests)
                _eventRequests++;
            else
                Post(0, entry.Id, NvmeStatus.TooManyEvents);
            return;
        }
        ushort status = entry.Opcode switch
        {
            NvmeOp.CreateCq => CreateCompletionQueue(entry),
            NvmeOp.CreateSq => CreateSubmissionQueue(entry),
            NvmeOp.DeleteCq => DeleteCompletionQueue((int)(entry.Cdw10 & 0xffff)),
            NvmeOp.DeleteSq => DeleteSubmissionQueue((int)(entry.Cdw10 & 0xffff)),
            NvmeOp.Identify => Identify(entry),
            NvmeOp.GetLogPage => GetLogPage(entry),
            NvmeOp.SetFeatures => SetFeatures(entry, out result),
            NvmeOp.GetFeatures => GetFeatures(entry, out result),
            NvmeOp.Abort => Abort(out result),
            _ => NvmeStatus.InvalidOpcode,
        };
        _adminBuffer.Clear();
        Post(0, entry.Id, status, result);
    }

    /// <summary>Bit 0 says that the command was not aborted.</summary>
    private static ushort Abort(out uint result)
    {
        result = 1;
        return NvmeStatus.Success;
    }

    private ushort CreateCompletionQueue(in NvmeEntry entry)
    {
        int queue = (int)(entry.Cdw10 & 0xffff), size = (int)(entry.Cdw10 >> 16) + 1, vector = (int)(entry.Cdw11 >> 16);
        if (queue is 0 or >= QueueCount || _queues.Completion[queue].Exists != 0)
            return NvmeStatus.InvalidQueueId;
        if (size is < 2 or > MaxEntries || (_cc >> 20 & 15) != CqEntry)
            return NvmeStatus.InvalidQueueSize;
        if ((entry.Cdw11 & 1) == 0 || entry.Prp1 % PageSize != 0)
            return NvmeStatus.InvalidField;
        if (vector >= (Msix is { Enabled: true } msix ? msix.Vectors : QueueCount))
            return NvmeStatus.InvalidVector;
        _queues.Completion[queue] = new()
        {
            Base = entry.Prp1, Size = (ushort)size, Vector = (ushort)vector, Exists = 1, Phase = 1, Interrupts = (ushort)(entry.Cdw11 >> 1 & 1),
        };
        return NvmeStatus.Success;
    }

    private ushort CreateSubmissionQueue(in NvmeEntry entry)
    {
        int queue = (int)(entry.Cdw10 & 0xffff), size = (int)(entry.Cdw10 >> 16) + 1, completion = (int)(entry.Cdw11 >> 16);
        if (queue is 0 or >= QueueCount || _queues.Submission[queue].Exists != 0)
            return NvmeStatus.InvalidQueueId;
        if (completion is 0 or >= QueueCount || _queues.Completion[completion].Exists == 0)
            return NvmeStatus.InvalidCq;
        if (size is < 2 or > MaxEntries || (_cc >> 16 & 15) != SqEntry)
            return NvmeStatus.InvalidQueueSize;
        if ((entry.Cdw11 & 1) == 0 || entry.Prp1 % PageSize != 0)
            return NvmeStatus.InvalidField;
        _queues.Submission[queue] = new() { Base = entry.Prp1, Size = (ushort)size, Completion = (ushort)completion, Exists = 1 };
        return NvmeStatus.Success;
    }

    private ushort DeleteSubmissionQueue(int queue)
    {
        if (queue is 0 or >= QueueCount || _queues.Submission[queue].Exists == 0)
            return NvmeStatus.InvalidQueueId;
        _queues.Submission[queue] = default;
        _lives[queue]++;
        return NvmeStatus.Success;
    }

    private ushort DeleteCompletionQueue(int queue)
    {
        if (queue is 0 or >= QueueCount || _queues.Completion[queue].Exists == 0)
            return NvmeStatus.InvalidQueueId;
        foreach (SubmissionQueue sq in _queues.Submission)
        {
            if (sq.Exists != 0 && sq.Completion == queue)
                return NvmeStatus.InvalidQueueDeletion;
        }
        _queues.Completion[queue] = default;
        _due &= ~(1ul << queue);
        DriveWire();
        return NvmeStatus.Success;
    }

    /// <summary>Sends the first bytes of the answer.</summary>
    private ushort Answer(in NvmeEntry entry, int length)
    {
        ushort status = Gather(_adminBuffer, entry, (uint)length, writable: true);
        if (status == NvmeStatus.Success)
            _adminBuffer.Write(0, _answer.AsSpan(0, length));
        return status;
    }

    /// <summary>Section 5.15.</summary>
    private ushort Identify(in NvmeEntry entry)
    {
        const int Namespace = 0, Controller = 1, ActiveNamespaces = 2, Descriptors = 3;
        Array.Clear(_answer);
        bool exists = entry.Nsid >= 1 && entry.Nsid <= (uint)_disks.Length;
        switch (entry.Cdw10 & 0xff)
        {
            case Namespace when entry.Nsid == Broadcast || exists:
                IdentifyNamespace(exists ? (int)entry.Nsid : 0);
                break;
            case Namespace or Descriptors when entry.Nsid is 0 or Broadcast || entry.Nsid > 1024:
                return NvmeStatus.InvalidNamespace;
            case Namespace:
                break; // inactive: all zero
            case Controller:
                IdentifyController();
                break;
            case ActiveNamespaces when entry.Nsid < 0xffff_fffe:
                int at = 0;
                for (uint nsid = entry.Nsid + 1; nsid <= (uint)_disks.Length && at < IdentifySize; nsid++, at += 4)
                    BinaryPrimitives.WriteUInt32LittleEndian(_answer.AsSpan(at), nsid);
                break;
            case Descriptors when exists:
                (_answer[0], _answer[1]) = (3, 16);
                Uuid((int)entry.Nsid, _answer.AsSpan(4, 16));
                break;
            default:
                return NvmeStatus.InvalidField;
        }
        return Answer(entry, IdentifySize);
    }

    private void IdentifyController()
    {
        Put16(0, 0x1b36);
        Put16(2, 0x1af4);
        Text(4, 20, _serial);
        Text(24, 40, "MYNA NVME");
        Text(64, 8, "1.0");
        _answer[72] = 6; // arbitration burst
        _answer[77] = MaxTransferShift;
        Put32(80, Version);
        _answer[258] = 3; // aborts at once, less one
        _answer[259] = MostEventRequests - 1;
        _answer[260] = 0x03; // one firmware slot, read-only
        _answer[262] = 0; // error log entries, less one
        Put16(266, 0x157); // warning and critical temperatures, kelvin
        Put16(268, 0x175);
        _answer[111] = 1; // an I/O controller
        _answer[512] = SqEntry << 4 | SqEntry;
        _answer[513] = CqEntry << 4 | CqEntry;
        Put32(516, (uint)_disks.Length);
        Put16(520, 0x0c); // dataset management, write zeroes
        _answer[525] = 7; // a write cache; a flush can be for all namespaces
        Encoding.ASCII.GetBytes($"nqn.2014-08.org.nvmexpress:uuid:{NameOfController()}", _answer.AsSpan(768, 223));
        Put16(2048, 2500); // power state 0, 0.01 W
    }

    private void IdentifyNamespace(int nsid)
    {
        ulong blocks = nsid == 0 ? 0 : _disks[nsid - 1].Length / BlockSize;
        BinaryPrimitives.WriteUInt64LittleEndian(_answer, blocks);
        BinaryPrimitives.WriteUInt64LittleEndian(_answer.AsSpan(8), blocks);
        BinaryPrimitives.WriteUInt64LittleEndian(_answer.AsSpan(16), blocks);
        _answer[24] = 0x10; // preferred granularity is told
        if (nsid != 0 && _disks[nsid - 1].ReadOnly)
            _answer[99] = 1;
        // Host files live in pages: eight blocks at a time are best.
        for (int at = 64; at <= 70; at += 2)
            Put16(at, 7);
        _answer[130] = 9; // blocks of 2^9 bytes
    }

    /// <summary>A UUID that is the same in every run: of version 8, from the controller's serial number.</summary>
    private void Uuid(int nsid, Span<byte> uuid)
    {
        uuid.Clear();
        "MYNA"u8.CopyTo(uuid);
        ulong hash = 14695981039346656037;
        foreach (char c in _serial)
            hash = (hash ^ c) * 1099511628211;
        BinaryPrimitives.WriteUInt64BigEndian(uuid[4..], hash);
        BinaryPrimitives.WriteUInt32BigEndian(uuid[12..], (uint)nsid);
        uuid[6] = (byte)(uuid[6] & 0x0f | 0x80);
        uuid[8] = (byte)(uuid[8] & 0x3f | 0x80);
    }

    private Guid NameOfController()
    {
        Span<byte> uuid = stackalloc byte[16];
        Uuid(0, uuid);
        return new Guid(uuid, bigEndian: true);
    }

    /// <summary>Section 5.14: error information, SMART, firmware slots, commands supported.</summary>
    private ushort GetLogPage(in NvmeEntry entry)
    {
        const int Errors = 1, Smart = 2, FirmwareSlots = 3;
        ulong offset = entry.Cdw12 | (ulong)entry.Cdw13 << 32;
        long length = (((entry.Cdw10 >> 16) | (long)(entry.Cdw11 & 0xffff) << 16) + 1) * 4;
        int size;
        Array.Clear(_answer);
        switch (entry.Cdw10 & 0xff)
        {
            case Errors:
                size = 64;
                break;
            case Smart:
                size = 512;
                Put16(1, 0x12c); // 27 degrees Celsius
                (_answer[3], _answer[4]) = (100, 10);
                break;
            case FirmwareSlots:
                size = 512;
                _answer[0] = 1;
                Text(8, 8, "1.0");
                break;
            default:
                return NvmeStatus.InvalidLog;
        }
        if (offset % 4 != 0 || offset > (ulong)size || length > IdentifySize)
            return NvmeStatus.InvalidField;
        if (offset != 0)
        {
            _answer.AsSpan((int)offset).CopyTo(_answer);
            _answer.AsSpan(IdentifySize - (int)offset).Clear();
        }
        return Answer(entry, (int)length);
    }

    /// <summary>Section 5.21.</summary>
    private ushort SetFeatures(in NvmeEntry entry, out uint result)
    {
        const int NumberOfQueues = 7;
        int feature = (int)(entry.Cdw10 & 0xff);
        result = 0;
        if ((entry.Cdw10 & 1u << 31) != 0)
            return NvmeStatus.NotSaveable;
        switch (feature)
        {
            case NumberOfQueues:
                // As many as are wanted and there are; each less one.
                if ((entry.Cdw11 & 0xffff) == 0xffff || entry.Cdw11 >> 16 == 0xffff)
                    return NvmeStatus.InvalidField;
                uint sq = Math.Min(entry.Cdw11 & 0xffff, QueueCount - 2u), cq = Math.Min(entry.Cdw11 >> 16, QueueCount - 2u);
                result = _features[NumberOfQueues] = sq | cq << 16;
                return NvmeStatus.Success;
            // Arbitration, power, temperature, error recovery, write cache, coalescing, vectors, atomicity, events.
            case 1 or 2 or 5 or 6 or 8 or 9 or 10 or 11:
                _features[feature] = entry.Cdw11;
                return NvmeStatus.Success;
            case 4:
                if ((entry.Cdw11 >> 16 & 0x3f) == 0)
                    _features[feature] = entry.Cdw11 & 0xffff;
                return NvmeStatus.Success;
            default:
                return NvmeStatus.InvalidField;
        }
    }

    /// <summary>Section 5.13.</summary>
    private ushort GetFeatures(in NvmeEntry entry, out uint result)
    {
        int feature = (int)(entry.Cdw10 & 0xff);
        bool known = feature is 1 or 2 or (>= 4 and <= 11);
        result = known ? _features[feature] : 0;
        // What it supports is asked for: that the value can be changed.
        if ((entry.Cdw10 >> 8 & 7) == 3)
            result = 4;
        return known ? NvmeStatus.Success : NvmeStatus.InvalidField;
    }

    private void Put16(int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(_answer.AsSpan(at), (ushort)value);
    private void Put32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_answer.AsSpan(at), value);

    private void Text(int at, int length, string text)
    {
        for (int i = 0; i < length; i++)
            _answer[at + i] = i < text.Length && char.IsAscii(text[i]) ? (byte)text[i] : (byte)' ';
    }
}
