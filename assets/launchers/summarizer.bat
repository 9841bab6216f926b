@echo off
rem Windows: start the page in a window, or in the browser. Files dropped on this file are opened.
rem No parentheses around the commands: a name such as a(1).pdf would end them.
setlocal
set "project=%~dp0..\.."
if not exist "%project%\.venv\Scripts\python.exe" goto installed
"%project%\.venv\Scripts\python.exe" "%project%\app.py" --desktop %*
goto end
:installed
where longt5-summarizer >nul 2>nul
if errorlevel 1 goto missing
longt5-summarizer serve --desktop %*
goto end
:missing
echo The summarizer is not installed: follow Install in its README first.
pause
exit /b 1
:end
if errorlevel 1 pause
