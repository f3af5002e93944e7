using System.Runtime.CompilerServices;
using Myna.Hardware.Backends;

namespace Myna.Devices.Storage;

/// <summary>
/// One command's work at a back end: started by whoever the guest's access runs on, ended on whichever thread the back end
/// completes. Made once and used again.
/// </summary>
internal abstract class StorageRequest
{
    private readonly Action _completed;
    private ConfiguredValueTaskAwaitable<BlockStatus>.ConfiguredValueTaskAwaiter _io;
    private IBlockBackend? _flush;
    private bool _noteWritten;

    protected StorageRequest() => _completed = Completed;

    /// <summary>The command's memory.</summary>
    public DmaBuffer Buffer { get; } = new();

    /// <summary>Moves the first bytes of <see cref="Buffer"/> as a transfer says: read, write, or flush.</summary>
    protected void Begin(IBlockBackend backend, in Transfer transfer)
    {
        _flush = transfer.FlushAfter ? backend : null;
        _noteWritten = transfer.Kind == TransferKind.Read;
        Await(transfer.Kind switch
        {
            TransferKind.Read => backend.ReadAsync(transfer.Offset, Buffer.Writable(transfer.Length)),
            TransferKind.Write => backend.WriteAsync(transfer.Offset, Buffer.Readable(transfer.Length)),
            _ => backend.FlushAsync(),
        });
    }

    /// <summary>Waits for other work.</summary>
    protected void Begin(ValueTask<BlockStatus> work)
    {
        _flush = null;
        _noteWritten = false;
        Await(work);
    }

    /// <summary>The work has ended. Any thread.</summary>
    protected abstract void Ended(BlockStatus status);

    private void Await(ValueTask<BlockStatus> io)
    {
        _io = io.ConfigureAwait(false).GetAwaiter();
        if (_io.IsCompleted)
            Completed();
        else
            _io.UnsafeOnCompleted(_completed);
    }

    private void Completed()
    {
        BlockStatus status = _io.GetResult();
        _io = default;
        if (status == BlockStatus.Ok && _flush is { } backend)
        {
            _flush = null;
            Await(backend.FlushAsync());
            return;
        }
        if (_noteWritten)
            Buffer.NoteWritten();
        Ended(status);
    }
}
