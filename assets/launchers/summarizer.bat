@echo off
rem Windows: start the page in a window, or in the browser. Files dropped on this file are opened.
rem Explorer puts no quotes around a dropped name without spaces, and the "and" sign in a&b.pdf ends
rem a command, so the names are taken from the line that Explorer wrote, and never read as commands.
rem No parentheses around the commands: a name such as a(1).pdf would end them.
setlocal DisableDelayedExpansion
set "project=%~dp0..\.."
set files=%*
set "explorer="
setlocal EnableDelayedExpansion
set "dropped=!cmdcmdline:*%~nx0"=!"
if "!dropped!"=="!cmdcmdline!" goto named
set "explorer=yes"
set "files=!dropped:~0,-1!"
:named
if not exist "!project!\.venv\Scripts\python.exe" goto installed
"!project!\.venv\Scripts\python.exe" "!project!\app.py" --desktop !files!
goto end
:installed
where longt5-summarizer >nul 2>nul
if errorlevel 1 goto missing
longt5-summarizer serve --desktop !files!
goto end
:missing
echo The summarizer is not installed: follow Install in its README first.
set "code=1"
goto leave
:end
set "code=!errorlevel!"
:leave
if not "!code!"=="0" pause
rem What follows the "and" sign in a dropped name would be run next, so the whole shell ends.
if defined explorer exit !code!
exit /b !code!
