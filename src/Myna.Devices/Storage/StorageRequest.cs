using Myna.Hardware.Backends;

namespace Myna.Devices.Storage;

/// <summary>
/// One command's work at a back end: started by whoever the guest's access runs on, ended on whichever thread the back end
/// completes. Made once and used again.
/// </summary>
internal abstract class StorageRequest
{
    private readonly BackendWork _work;
    private bool _noteWritten;

    protected StorageRequest() => _work = new BackendWork(Completed);

    /// <summary>The command's memory.</summary>
    public DmaBuffer Buffer { get; } = new();

    /// <summary>Moves the first bytes of <see cref="Buffer"/> as a transfer says: read, write, or flush.</summary>
    protected void Begin(IBlockBackend backend, in Transfer transfer)
    {
        _noteWritten = transfer.Kind == TransferKind.Read;
        ValueTask<BlockStatus> io = transfer.Kind switch
        {
            TransferKind.Read => backend.ReadAsync(transfer.Offset, Buffer.Writable(transfer.Length)),
            TransferKind.Write => backend.WriteAsync(transfer.Offset, Buffer.Readable(transfer.Length)),
            _ => backend.FlushAsync(),
        };
        _work.Begin(io, transfer.FlushAfter ? backend : null);
    }

    /// <summary>Waits for other work.</summary>
    protected void Begin(ValueTask<BlockStatus> work)
    {
        _noteWritten = false;
        _work.Begin(work);
    }

    /// <summary>The work has ended. Any thread.</summary>
    protected abstract void Ended(BlockStatus status);

    private void Completed(BlockStatus status)
    {
        if (_noteWritten)
            Buffer.NoteWritten();
        Ended(status);
    }
}
