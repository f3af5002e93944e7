using Myna.Hardware.Backends;
using Myna.Storage;

namespace Myna.Machines;

/// <summary>Opens media for drives of a machine that exists already.</summary>
public static class MediumFile
{
    /// <summary>Opens a raw image for reading.</summary>
    /// <exception cref="MachineException">It cannot be used; the message is for the user.</exception>
    public static IBlockBackend Open(string path)
    {
        try
        {
            return DiskImage.Open(path, DiskFormat.Raw, readOnly: true);
        }
        catch (StorageException e)
        {
            throw new MachineException(e.Message, e);
        }
    }
}
